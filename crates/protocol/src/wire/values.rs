//! The encodings of Kafka's types: numbers, text, bytes, arrays, and what of them may be null.

use bytes::Bytes;

use super::{EncodeError, Nullable, Reader, Str, Wire, Writer};
use crate::decode::DecodeError;
use crate::types::Uuid;

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Wire for $number {
            const MIN_SIZE: usize = size_of::<Self>();

            fn read(reader: &mut Reader, _version: i16) -> Result<Self, DecodeError> {
                Ok(Self::from_be_bytes(reader.fixed()?))
            }

            fn write(&self, writer: &mut Writer, _version: i16) -> Result<(), EncodeError> {
                writer.raw(&self.to_be_bytes());
                Ok(())
            }
        }
    )*};
}

numbers!(i8, i16, u16, i32, i64, f64);

impl Wire for bool {
    const MIN_SIZE: usize = 1;

    fn read(reader: &mut Reader, _version: i16) -> Result<Self, DecodeError> {
        Ok(reader.fixed()? != [0])
    }

    fn write(&self, writer: &mut Writer, _version: i16) -> Result<(), EncodeError> {
        writer.raw(&[u8::from(*self)]);
        Ok(())
    }
}

impl Wire for Uuid {
    const MIN_SIZE: usize = 16;

    fn read(reader: &mut Reader, _version: i16) -> Result<Self, DecodeError> {
        reader.fixed().map(Self)
    }

    fn write(&self, writer: &mut Writer, _version: i16) -> Result<(), EncodeError> {
        writer.raw(&self.0);
        Ok(())
    }
}

impl Wire for Str {
    const MIN_SIZE: usize = 1;

    fn read(reader: &mut Reader, version: i16) -> Result<Self, DecodeError> {
        let text = Self::read_nullable(reader, version)?;
        reader.not_null(text)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError> {
        Self::write_nullable(Some(self), writer, version)
    }
}

impl Nullable for Str {
    fn read_nullable(reader: &mut Reader, _version: i16) -> Result<Option<Self>, DecodeError> {
        reader.short_len()?.map(|len| reader.text(len)).transpose()
    }

    fn write_nullable(
        value: Option<&Self>,
        writer: &mut Writer,
        _version: i16,
    ) -> Result<(), EncodeError> {
        writer.short_len(value.map(|text| text.as_bytes().len()))?;
        writer.raw(value.map_or(&[], |text| text.as_bytes()));
        Ok(())
    }
}

impl Wire for Bytes {
    const MIN_SIZE: usize = 1;

    fn read(reader: &mut Reader, version: i16) -> Result<Self, DecodeError> {
        let bytes = Self::read_nullable(reader, version)?;
        reader.not_null(bytes)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError> {
        Self::write_nullable(Some(self), writer, version)
    }
}

impl Nullable for Bytes {
    fn read_nullable(reader: &mut Reader, _version: i16) -> Result<Option<Self>, DecodeError> {
        reader.long_len()?.map(|len| reader.slice(len)).transpose()
    }

    fn write_nullable(
        value: Option<&Self>,
        writer: &mut Writer,
        _version: i16,
    ) -> Result<(), EncodeError> {
        writer.long_len(value.map(Self::len))?;
        if let Some(bytes) = value {
            writer.shared(bytes);
        }
        Ok(())
    }
}

impl<T: Wire> Wire for Vec<T> {
    const MIN_SIZE: usize = 1;

    fn read(reader: &mut Reader, version: i16) -> Result<Self, DecodeError> {
        let elements = Self::read_nullable(reader, version)?;
        reader.not_null(elements)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError> {
        Self::write_nullable(Some(self), writer, version)
    }
}

impl<T: Wire> Nullable for Vec<T> {
    fn read_nullable(reader: &mut Reader, version: i16) -> Result<Option<Self>, DecodeError> {
        reader.long_len()?.map(|count| reader.elements(count, version)).transpose()
    }

    fn write_nullable(
        value: Option<&Self>,
        writer: &mut Writer,
        version: i16,
    ) -> Result<(), EncodeError> {
        writer.long_len(value.map(Self::len))?;
        value.into_iter().flatten().try_for_each(|element| element.write(writer, version))
    }
}

impl<T: Nullable> Wire for Option<T> {
    const MIN_SIZE: usize = 1;

    fn read(reader: &mut Reader, version: i16) -> Result<Self, DecodeError> {
        T::read_nullable(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError> {
        T::write_nullable(self.as_ref(), writer, version)
    }
}

// Which bytes do Kafka's own classes write? Run with a kafka-clients jar on the class path and
// NAME:MIN-MAX arguments; prints one line per message, version and variant: NAME VERSION VARIANT HEX.
//
// Variants: `default` is an object as its constructor leaves it; `nulls` has null wherever the
// version allows it; `filled` has every field of the version set to a value made from its name, so
// that a reader can tell two fields of the same type apart.

import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Field;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;

public final class MessageGoldens {
    private enum Variant { DEFAULT, FILLED, NULLS }

    public static void main(String[] args) throws Exception {
        for (String arg : args) {
            String[] parts = arg.split("[:-]");
            for (int version = Integer.parseInt(parts[1]); version <= Integer.parseInt(parts[2]); version++) {
                print(parts[0], (short) version);
            }
        }
    }

    private static void print(String name, short version) throws Exception {
        List<String> seen = new ArrayList<>();
        for (Variant variant : Variant.values()) {
            Message message = (Message) messageClass(name).getDeclaredConstructor().newInstance();
            if (variant != Variant.DEFAULT) {
                fill(message, version, variant);
            }
            String hex;
            try {
                hex = HexFormat.of().formatHex(write(message, version));
            } catch (NullPointerException unwritable) {
                // Records are null until they are set, also where the version has no null.
                if (variant != Variant.DEFAULT) {
                    throw unwritable;
                }
                continue;
            }
            if (!seen.contains(hex)) {
                seen.add(hex);
                String word = variant.name().toLowerCase(Locale.ROOT);
                System.out.println(name + " " + version + " " + word + " " + hex);
            }
        }
    }

    private static Class<?> messageClass(String name) throws ClassNotFoundException {
        try {
            return Class.forName("org.apache.kafka.common.message." + name + "Data");
        } catch (ClassNotFoundException embedded) {
            return Class.forName("org.apache.kafka.common.message." + name);
        }
    }

    private static byte[] write(Message message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(buffer), cache, version);
        return buffer.array();
    }

    private static void fill(Object object, short version, Variant variant) throws Exception {
        Schema[] schemas = (Schema[]) object.getClass().getField("SCHEMAS").get(null);
        for (BoundField bound : schemas[version].fields()) {
            if (bound.def.type instanceof TaggedFields) {
                for (Field field : taggedFields((TaggedFields) bound.def.type).values()) {
                    set(object, field, version, variant);
                }
            } else {
                set(object, bound.def, version, variant);
            }
        }
    }

    /** Older versions do not show the fields. */
    @SuppressWarnings("unchecked")
    private static Map<Integer, Field> taggedFields(TaggedFields type) throws Exception {
        java.lang.reflect.Field fields = TaggedFields.class.getDeclaredField("fields");
        fields.setAccessible(true);
        return (Map<Integer, Field>) fields.get(type);
    }

    private static void set(Object object, Field field, short version, Variant variant) throws Exception {
        Method setter = setter(object.getClass(), field.name);
        Type type = setter.getGenericParameterTypes()[0];
        if (variant == Variant.NULLS && field.type.isNullable()) {
            setter.invoke(object, (Object) null);
        } else if (field.type == org.apache.kafka.common.protocol.types.Type.UINT16) {
            // An unsigned short is an int in Java.
            setter.invoke(object, (int) (hash(field.name) & 0xffff));
        } else {
            setter.invoke(object, value(field.name, type, version, variant));
        }
    }

    private static Method setter(Class<?> owner, String field) {
        String wanted = "set" + field.replace("_", "").toLowerCase(Locale.ROOT);
        for (Method method : owner.getMethods()) {
            if (method.getName().toLowerCase(Locale.ROOT).equals(wanted)) {
                return method;
            }
        }
        throw new IllegalStateException(owner + " has no setter for " + field);
    }

    @SuppressWarnings("unchecked")
    private static Object value(String name, Type type, short version, Variant variant) throws Exception {
        if (type instanceof ParameterizedType list) {
            List<Object> elements = new ArrayList<>();
            elements.add(value(name, list.getActualTypeArguments()[0], version, variant));
            elements.add(value(name, list.getActualTypeArguments()[0], version, variant));
            return elements;
        }
        Class<?> owner = (Class<?>) type;
        if (Collection.class.isAssignableFrom(owner)) {
            Collection<Object> elements = (Collection<Object>) owner.getDeclaredConstructor().newInstance();
            Class<?> element = Class.forName(owner.getName().replaceAll("Collection$", ""));
            elements.add(value(name, element, version, variant));
            elements.add(value(name, element, version, variant));
            return elements;
        }
        if (Message.class.isAssignableFrom(owner)) {
            Object inner = owner.getDeclaredConstructor().newInstance();
            fill(inner, version, variant);
            return inner;
        }
        return scalar(name, owner);
    }

    private static Object scalar(String name, Class<?> type) {
        long hash = hash(name);
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        return switch (type.getSimpleName()) {
            case "byte", "Byte" -> (byte) hash;
            case "short", "Short" -> (short) hash;
            case "int", "Integer" -> (int) hash;
            case "long", "Long" -> hash;
            case "double", "Double" -> (double) (hash & 0xffff);
            case "boolean", "Boolean" -> true;
            case "String" -> name;
            case "Uuid" -> new Uuid(hash, hash);
            case "byte[]" -> bytes;
            case "ByteBuffer" -> ByteBuffer.wrap(bytes);
            case "BaseRecords" -> records(ByteBuffer.wrap(bytes));
            default -> throw new IllegalStateException("no value for " + type);
        };
    }

    /** Records of these bytes; the class has moved between versions. */
    private static Object records(ByteBuffer bytes) {
        for (String room : new String[] {"record.internal.", "record."}) {
            try {
                Class<?> owner = Class.forName("org.apache.kafka.common." + room + "MemoryRecords");
                return owner.getMethod("readableRecords", ByteBuffer.class).invoke(null, bytes);
            } catch (ReflectiveOperationException elsewhere) {
                continue;
            }
        }
        throw new IllegalStateException("no class MemoryRecords");
    }

    /** FNV-1a of a field's name. */
    private static long hash(String name) {
        long hash = 0xcbf29ce484222325L;
        for (byte b : name.getBytes(StandardCharsets.UTF_8)) {
            hash = (hash ^ b) * 0x100000001b3L;
        }
        return hash;
    }
}

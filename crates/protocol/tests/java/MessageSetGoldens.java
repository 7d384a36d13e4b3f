// Which bytes did Kafka's Java client write before batches, in the formats v0 and v1?
// Run with kafka-clients 0.11.0.3 and its codecs on the class path; prints NAME HEX.

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.apache.kafka.common.record.CompressionType;
import org.apache.kafka.common.record.MemoryRecords;
import org.apache.kafka.common.record.MemoryRecordsBuilder;
import org.apache.kafka.common.record.TimestampType;

public final class MessageSetGoldens {
    private static final long TIME = 1_400_000_000_000L;

    public static void main(String[] args) {
        CompressionType[] codecs = {
            CompressionType.NONE, CompressionType.GZIP, CompressionType.SNAPPY, CompressionType.LZ4,
        };
        for (byte magic = 0; magic <= 1; magic++) {
            for (CompressionType codec : codecs) {
                print("v" + magic + "-" + codec.name, messages(magic, codec, TimestampType.CREATE_TIME, 40, 1));
                if (codec != CompressionType.NONE) {
                    print("v" + magic + "-large-" + codec.name, messages(magic, codec, TimestampType.CREATE_TIME, 9_000, 1));
                    print("v" + magic + "-sparse-" + codec.name, messages(magic, codec, TimestampType.CREATE_TIME, 40, 3));
                }
            }
        }
        print("v1-append-time", messages((byte) 1, CompressionType.GZIP, TimestampType.LOG_APPEND_TIME, 40, 1));
    }

    private static ByteBuffer messages(byte magic, CompressionType codec, TimestampType type, int size, int step) {
        MemoryRecordsBuilder builder =
            MemoryRecords.builder(ByteBuffer.allocate(64), magic, codec, type, 100, TIME + 5);
        for (int at = 0; at < 20; at += step) {
            long time = magic == 0 ? -1 : TIME + 7L * at - (at % 4);
            byte[] key = at % 3 == 0 ? null : ("key-" + at).getBytes(StandardCharsets.UTF_8);
            builder.appendWithOffset(100 + at, time, key, value(at, size));
        }
        return builder.build().buffer();
    }

    private static byte[] value(int at, int size) {
        if (at % 5 == 4) {
            return null;
        }
        StringBuilder value = new StringBuilder();
        while (value.length() < size) {
            value.append("value ").append(at).append(" of ").append(size).append("; ");
        }
        return value.substring(0, size).getBytes(StandardCharsets.UTF_8);
    }

    private static void print(String name, ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        System.out.println(name + " " + HexFormat.of().formatHex(bytes));
    }
}

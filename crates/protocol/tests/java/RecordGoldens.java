// Which bytes does Kafka's Java client write for a batch of records, in every codec?
// Run with kafka-clients 4.4.0 and its codecs on the class path; prints one line per batch:
// NAME HEX. What the records say is a formula, so that a reader can check each of them.

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.message.LeaderChangeMessage;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.DefaultRecordBatch;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.RecordBatch;

public final class RecordGoldens {
    private static final long TIME = 1_700_000_000_000L;

    public static void main(String[] args) {
        Compression[] codecs = {
            Compression.NONE, Compression.gzip().build(), Compression.snappy().build(),
            Compression.lz4().build(), Compression.zstd().build(),
        };
        for (Compression codec : codecs) {
            print("small-" + codec.type().name, records(codec, 20, 40));
            if (codec != Compression.NONE) {
                print("large-" + codec.type().name, records(codec, 400, 600));
            }
        }
        print("append-time", appendTime());
        print("sparse", sparse());
        for (ControlRecordType type : new ControlRecordType[] {ControlRecordType.ABORT, ControlRecordType.COMMIT}) {
            EndTransactionMarker marker = new EndTransactionMarker(type, 9);
            print(type.name().toLowerCase(), MemoryRecords.withEndTransactionMarker(100, TIME, 3, 4_000, (short) 2, marker).buffer());
        }
        print("leader-change", leaderChange());
        ByteBuffer empty = ByteBuffer.allocate(RecordBatchSize.HEADER);
        DefaultRecordBatch.writeEmptyHeader(empty, RecordBatch.MAGIC_VALUE_V2, 4_000, (short) 2, 7, 100, 139, 3, TimestampType.CREATE_TIME, TIME, true, false);
        empty.flip();
        print("empty", empty);
    }

    private static final class RecordBatchSize {
        static final int HEADER = 61;
    }

    private static ByteBuffer records(Compression codec, int count, int size) {
        MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(64), RecordBatch.MAGIC_VALUE_V2,
            codec, TimestampType.CREATE_TIME, 100, -1, 4_000, (short) 2, 17, false, 3);
        for (int at = 0; at < count; at++) {
            builder.append(TIME + 7L * at - (at % 4), key(at), value(at, size), headers(at));
        }
        return builder.build().buffer();
    }

    private static ByteBuffer appendTime() {
        MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(64), RecordBatch.MAGIC_VALUE_V2,
            Compression.NONE, TimestampType.LOG_APPEND_TIME, 100, TIME + 5);
        for (int at = 0; at < 3; at++) {
            builder.append(TIME - at, key(at), value(at, 40), headers(at));
        }
        return builder.build().buffer();
    }

    private static ByteBuffer sparse() {
        MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(64), Compression.NONE, TimestampType.CREATE_TIME, 100);
        for (int at = 0; at < 20; at += 3) {
            builder.appendWithOffset(100 + at, TIME + 7L * at - (at % 4), key(at), value(at, 40), headers(at));
        }
        builder.overrideLastOffset(125);
        return builder.build().buffer();
    }

    private static ByteBuffer leaderChange() {
        MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(64), RecordBatch.MAGIC_VALUE_V2,
            Compression.NONE, TimestampType.CREATE_TIME, 100, TIME, -1, (short) -1, -1, false, true, 3);
        builder.appendLeaderChangeMessage(TIME, new LeaderChangeMessage().setLeaderId(1));
        return builder.build().buffer();
    }

    private static byte[] key(int at) {
        return at % 3 == 0 ? null : ("key-" + at).getBytes(StandardCharsets.UTF_8);
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

    private static Header[] headers(int at) {
        if (at % 2 == 0) {
            return new Header[0];
        }
        return new Header[] {
            new RecordHeader("größe", new byte[] {(byte) at, (byte) 0xff}),
            new RecordHeader("größe", null), new RecordHeader("", new byte[0]),
        };
    }

    private static void print(String name, ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        System.out.println(name + " " + HexFormat.of().formatHex(bytes));
    }
}

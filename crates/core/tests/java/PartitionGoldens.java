// To which partition does Kafka's Java client send a key? Run with a kafka-clients jar on the class
// path; prints one line per key: HEX HASH and the partition of 1, 2, 3, 8, 12, 100 and 1000.

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.utils.Utils;

public final class PartitionGoldens {
    private static final int[] COUNTS = {1, 2, 3, 8, 12, 100, 1000};

    public static void main(String[] args) {
        // Every length of the tail, with bytes on both sides of the sign.
        for (int length = 0; length <= 33; length++) {
            byte[] low = new byte[length];
            byte[] high = new byte[length];
            for (int at = 0; at < length; at++) {
                low[at] = (byte) (at * 7 + length);
                high[at] = (byte) (0xff - at * 11 - length);
            }
            print(low);
            print(high);
        }
        for (int number = 0; number < 64; number++) {
            print(("key-" + number).getBytes(StandardCharsets.UTF_8));
        }
        for (String text : new String[] {"21", "foobar", "a-little-bit-longer-string", "größe", "鍵", "\u0000", "-1"}) {
            print(text.getBytes(StandardCharsets.UTF_8));
        }
        byte[] long4k = new byte[4099];
        for (int at = 0; at < long4k.length; at++) {
            long4k[at] = (byte) (at * 31);
        }
        print(long4k);
    }

    private static void print(byte[] key) {
        StringBuilder line = new StringBuilder();
        line.append(key.length == 0 ? "-" : HexFormat.of().formatHex(key));
        line.append(' ').append(Utils.murmur2(key));
        for (int count : COUNTS) {
            line.append(' ').append(BuiltInPartitioner.partitionForKey(key, count));
        }
        System.out.println(line);
    }
}

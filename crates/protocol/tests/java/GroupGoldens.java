// Which bytes does Kafka's consumer put into the embedded fields of the classic group protocol?
// Run with a kafka-clients jar on the class path; prints one line per version: KIND VERSION HEX.

import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.internals.ConsumerProtocol;
import org.apache.kafka.common.TopicPartition;

public final class GroupGoldens {
    public static void main(String[] args) {
        List<TopicPartition> owned = List.of(
            new TopicPartition("b", 7), new TopicPartition("a", 2), new TopicPartition("b", 0));
        ByteBuffer data = ByteBuffer.wrap("data".getBytes());
        Subscription full =
            new Subscription(List.of("b", "a"), data, owned, 5, Optional.of("rack"));
        Subscription bare = new Subscription(List.of("b", "a"));
        for (short version = 0; version <= 3; version++) {
            print("subscription-full", version, ConsumerProtocol.serializeSubscription(full, version));
            print("subscription-bare", version, ConsumerProtocol.serializeSubscription(bare, version));
            print("assignment-full", version, ConsumerProtocol.serializeAssignment(new Assignment(owned, data), version));
            print("assignment-bare", version, ConsumerProtocol.serializeAssignment(new Assignment(owned), version));
        }
    }

    private static void print(String kind, short version, ByteBuffer bytes) {
        byte[] copy = new byte[bytes.remaining()];
        bytes.get(copy);
        System.out.println(kind + " " + version + " " + HexFormat.of().formatHex(copy));
    }
}

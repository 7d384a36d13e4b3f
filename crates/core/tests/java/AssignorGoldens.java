// Which plans do Kafka's own assignors make? Run with a kafka-clients jar (and slf4j) on the class
// path and a number of seeds; prints one line per seed and assignor, four fields between bars:
// ASSIGNOR | TOPIC=COUNT ... | MEMBER:INSTANCE:TOPIC,TOPIC ... | MEMBER=TOPIC-N,TOPIC-N ...

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.GroupSubscription;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;

public final class AssignorGoldens {
    public static void main(String[] args) {
        for (int seed = 0; seed < Integer.parseInt(args[0]); seed++) {
            Random random = new Random(seed);
            Map<String, Integer> topics = new TreeMap<>();
            int topicCount = 1 + random.nextInt(5);
            for (int t = 0; t < topicCount; t++) {
                topics.put("t" + t, random.nextInt(9));
            }
            Map<String, Subscription> members = new TreeMap<>();
            int memberCount = 1 + random.nextInt(7);
            for (int m = 0; m < memberCount; m++) {
                List<String> wanted = new ArrayList<>(topics.keySet());
                wanted.add("missing");
                Collections.shuffle(wanted, random);
                int most = random.nextInt(3) == 0 ? random.nextInt(wanted.size() + 1) : wanted.size();
                Subscription subscription = new Subscription(new ArrayList<>(wanted.subList(0, most)));
                if (random.nextInt(4) == 0) {
                    subscription.setGroupInstanceId(Optional.of("i" + random.nextInt(100) + "-" + m));
                }
                members.put("m" + random.nextInt(1000) + "-" + m, subscription);
            }
            print(new RangeAssignor(), topics, members);
            print(new RoundRobinAssignor(), topics, members);
        }
    }

    private static void print(
            ConsumerPartitionAssignor assignor, Map<String, Integer> topics, Map<String, Subscription> members) {
        Node node = new Node(0, "b", 1);
        List<PartitionInfo> partitions = new ArrayList<>();
        topics.forEach((topic, count) -> {
            for (int p = 0; p < count; p++) {
                partitions.add(new PartitionInfo(topic, p, node, new Node[] {node}, new Node[] {node}));
            }
        });
        Cluster cluster = new Cluster(
            "c", List.of(node), partitions, new HashSet<>(), new HashSet<>());
        Map<String, Assignment> plan =
            assignor.assign(cluster, new GroupSubscription(new HashMap<>(members))).groupAssignment();
        StringBuilder line = new StringBuilder(assignor.name()).append(" |");
        topics.forEach((topic, count) -> line.append(' ').append(topic).append('=').append(count));
        line.append(" |");
        members.forEach((id, member) -> line.append(' ').append(id).append(':')
            .append(member.groupInstanceId().orElse("")).append(':').append(String.join(",", member.topics())));
        line.append(" |");
        new TreeMap<>(plan).forEach((id, assignment) -> {
            line.append(' ').append(id).append('=');
            List<String> names = new ArrayList<>();
            for (TopicPartition partition : assignment.partitions()) {
                names.add(partition.toString());
            }
            Collections.sort(names);
            line.append(String.join(",", names));
        });
        System.out.println(line);
    }
}

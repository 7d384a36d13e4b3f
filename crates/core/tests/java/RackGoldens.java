// Which plans does Kafka's own range assignor make where members and replicas stand in racks? Run with
// a kafka-clients jar (and slf4j) on the class path and a number of seeds; prints one line per seed,
// three fields between bars:
// TOPIC=RACKS/RACKS ... | MEMBER:INSTANCE:RACK:TOPIC,TOPIC ... | MEMBER=TOPIC-N,TOPIC-N ...
// RACKS has a letter for each rack of a partition's replicas, and is - where none is known.

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.GroupSubscription;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;

public final class RackGoldens {
    private static final String[] RACKS = {"a", "b", "c", "d"};

    public static void main(String[] args) {
        for (int seed = 0; seed < Integer.parseInt(args[0]); seed++) {
            one(new Random(seed));
        }
    }

    private static void one(Random random) {
        int nodeCount = 1 + random.nextInt(5);
        int rackCount = 1 + random.nextInt(4);
        List<Node> nodes = new ArrayList<>();
        for (int n = 0; n < nodeCount; n++) {
            String rack = random.nextInt(8) == 0 ? null : RACKS[random.nextInt(rackCount)];
            nodes.add(new Node(n, "b" + n, 1, rack));
        }
        int same = 1 + random.nextInt(8);
        List<PartitionInfo> partitions = new ArrayList<>();
        TreeMap<String, String> topics = new TreeMap<>();
        int topicCount = 1 + random.nextInt(4);
        for (int t = 0; t < topicCount; t++) {
            // Topics with equally many partitions are shared together.
            int count = random.nextInt(2) == 0 ? same : 1 + random.nextInt(8);
            int replicas = 1 + random.nextInt(Math.min(3, nodeCount));
            List<String> racks = new ArrayList<>();
            for (int p = 0; p < count; p++) {
                List<Node> order = new ArrayList<>(nodes);
                Collections.shuffle(order, random);
                Node[] chosen = order.subList(0, replicas).toArray(new Node[0]);
                partitions.add(new PartitionInfo("t" + t, p, chosen[0], chosen, chosen));
                TreeSet<String> of = new TreeSet<>();
                for (Node node : chosen) {
                    if (node.hasRack()) {
                        of.add(node.rack());
                    }
                }
                racks.add(of.isEmpty() ? "-" : String.join("", of));
            }
            topics.put("t" + t, String.join("/", racks));
        }
        Map<String, Subscription> members = new TreeMap<>();
        int memberCount = 1 + random.nextInt(6);
        boolean alike = random.nextInt(2) == 0;
        for (int m = 0; m < memberCount; m++) {
            List<String> wanted = new ArrayList<>(topics.keySet());
            Collections.shuffle(wanted, random);
            int most = alike ? wanted.size() : 1 + random.nextInt(wanted.size());
            String rack = random.nextInt(5) == 0 ? null : RACKS[random.nextInt(4)];
            Subscription subscription = new Subscription(
                new ArrayList<>(wanted.subList(0, most)), null, Collections.emptyList(), -1, Optional.ofNullable(rack));
            if (random.nextInt(4) == 0) {
                subscription.setGroupInstanceId(Optional.of("i" + random.nextInt(100) + "-" + m));
            }
            members.put("m" + random.nextInt(1000) + "-" + m, subscription);
        }
        Cluster cluster = new Cluster("c", nodes, partitions, new HashSet<>(), new HashSet<>());
        Map<String, Assignment> plan = new RangeAssignor()
            .assign(cluster, new GroupSubscription(new HashMap<>(members))).groupAssignment();
        print(topics, members, plan);
    }

    private static void print(
            Map<String, String> topics, Map<String, Subscription> members, Map<String, Assignment> plan) {
        StringBuilder line = new StringBuilder();
        topics.forEach((topic, racks) -> line.append(topic).append('=').append(racks).append(' '));
        line.append('|');
        members.forEach((id, member) -> line.append(' ').append(id).append(':')
            .append(member.groupInstanceId().orElse("")).append(':').append(member.rackId().orElse("")).append(':')
            .append(String.join(",", member.topics())));
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

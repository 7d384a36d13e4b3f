// A member of a group, with Kafka's own client, beside others.
//
//   java -cp … Member BOOTSTRAP TOPIC GROUP HOW CLIENT
//
// HOW is "consumer" for the protocol of KIP-848, else classic assignors' classes, apart by commas. Prints
// "PARTITION OFFSET" for every record, commits after every poll, and leaves when its input ends.

import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public class Member {
    public static void main(String[] words) throws Exception {
        Properties config = new Properties();
        config.put("bootstrap.servers", words[0]);
        config.put("group.id", words[2]);
        config.put("client.id", words[4]);
        config.put("enable.auto.commit", "false");
        config.put("auto.offset.reset", "earliest");
        config.put("metadata.max.age.ms", "2000");
        if (words[3].equals("consumer")) {
            config.put("group.protocol", "consumer");
        } else {
            config.put("partition.assignment.strategy", words[3]);
            config.put("session.timeout.ms", "6000");
            config.put("heartbeat.interval.ms", "500");
        }
        AtomicBoolean ends = new AtomicBoolean();
        Thread listener = new Thread(() -> {
            try {
                while (System.in.read() >= 0) {
                }
            } catch (java.io.IOException gone) {
                // The same as an end.
            }
            ends.set(true);
        });
        listener.setDaemon(true);
        listener.start();
        ByteArrayDeserializer bytes = new ByteArrayDeserializer();
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(config, bytes, bytes)) {
            consumer.subscribe(List.of(words[1]), new ConsumerRebalanceListener() {
                @Override
                public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
                    consumer.commitSync();
                }

                @Override
                public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                }
            });
            while (!ends.get()) {
                ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(100));
                for (ConsumerRecord<byte[], byte[]> record : records) {
                    System.out.println(record.partition() + " " + record.offset());
                }
                System.out.flush();
                try {
                    consumer.commitSync();
                } catch (RebalanceInProgressException rebalance) {
                    // The next poll ends the rebalance, and what goes is committed in it.
                }
            }
        }
    }
}

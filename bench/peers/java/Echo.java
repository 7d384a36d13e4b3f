// How long does a record take from when it was due until it was read, with Kafka's own client? Run
// with a kafka-clients jar on the class path and
// BOOTSTRAP TOPIC PARTITIONS RECORDS RATE SIZE LINGER_MS; prints one line of JSON.

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public final class Echo {
    public static void main(String[] args) throws Exception {
        String topic = args[1];
        int records = Integer.parseInt(args[3]);
        double rate = Double.parseDouble(args[4]);
        int size = Integer.parseInt(args[5]);
        // A cold machine measures its compiler: the first two thirds warm it up.
        int warm = records * 2;
        int total = records + warm;
        Properties properties = new Properties();
        properties.put("bootstrap.servers", args[0]);
        properties.put("linger.ms", args[6]);
        KafkaConsumer<byte[], byte[]> consumer =
            new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        List<TopicPartition> partitions = IntStream.range(0, Integer.parseInt(args[2]))
            .mapToObj(number -> new TopicPartition(topic, number)).toList();
        consumer.assign(partitions);
        consumer.seekToEnd(partitions);
        partitions.forEach(consumer::position);
        KafkaProducer<byte[], byte[]> producer =
            new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
        producer.partitionsFor(topic);
        long begun = System.nanoTime() + 1_000_000_000L;
        long[] nanos = new long[total];
        Thread reader = new Thread(() -> {
            int read = 0;
            while (read < total) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                    long due = ByteBuffer.wrap(record.value()).getLong();
                    nanos[read++] = System.nanoTime() - begun - due;
                }
            }
        });
        reader.start();
        for (int number = 0; number < total; number++) {
            long due = (long) (number / rate * 1e9);
            long early;
            while ((early = begun + due - System.nanoTime()) > 0) {
                LockSupport.parkNanos(early);
            }
            byte[] value = new byte[size];
            ByteBuffer.wrap(value).putLong(due);
            producer.send(new ProducerRecord<>(topic, value));
        }
        reader.join();
        long[] counted = Arrays.copyOfRange(nanos, warm, total);
        Arrays.sort(counted);
        System.out.printf("{\"client\":\"java echo\",\"records\":%d,\"latencies\":%d,", total, counted.length);
        System.out.printf("\"latency_p50_us\":%.1f,\"latency_p99_us\":%.1f,", at(counted, 500), at(counted, 990));
        System.out.printf("\"latency_p999_us\":%.1f,\"latency_max_us\":%.1f}%n", at(counted, 999), at(counted, 1000));
        System.exit(0);
    }

    private static double at(long[] sorted, int thousandth) {
        return sorted[Math.max((int) (((long) sorted.length * thousandth + 999) / 1000) - 1, 0)] / 1e3;
    }
}

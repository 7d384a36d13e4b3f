// Writes and reads records with Kafka's own client, so that stories can compare.
//
//   java -cp … Exchange write BOOTSTRAP TOPIC CODEC COUNT    writes records 0 to COUNT - 1
//   java -cp … Exchange read BOOTSTRAP TOPIC COUNT           prints COUNT records of partition 0
//   java -cp … Exchange transact BOOTSTRAP TOPIC COUNT       COUNT transactions of ten records
//   java -cp … Exchange limit BOOTSTRAP CLIENT RATE          so many bytes a second for a client
//
// A record i has the key "key-i", the value "value-i" and the header "from" = "java"; it is printed
// as offset|key|value|header=value,header=value. Of ten transactions the fifth is aborted; record j of
// transaction i has the value "java-i-j".

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.StringJoiner;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public class Exchange {
    public static void main(String[] words) throws Exception {
        if (words.length == 5 && words[0].equals("write")) {
            write(words[1], words[2], words[3], Integer.parseInt(words[4]));
        } else if (words.length == 4 && words[0].equals("read")) {
            read(words[1], words[2], Integer.parseInt(words[3]));
        } else if (words.length == 4 && words[0].equals("transact")) {
            transact(words[1], words[2], Integer.parseInt(words[3]));
        } else if (words.length == 4 && words[0].equals("limit")) {
            limit(words[1], words[2], Double.parseDouble(words[3]));
        } else {
            System.err.println("usage: write BOOTSTRAP TOPIC CODEC COUNT | read BOOTSTRAP TOPIC COUNT");
            System.exit(2);
        }
    }

    static void write(String bootstrap, String topic, String codec, int count) throws Exception {
        Properties config = new Properties();
        config.put("bootstrap.servers", bootstrap);
        config.put("compression.type", codec);
        config.put("acks", "all");
        config.put("linger.ms", "20");
        // One writer at a time and no retries out of order: record i stands before record i + 1.
        config.put("max.in.flight.requests.per.connection", "1");
        StringSerializer text = new StringSerializer();
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(config, text, text)) {
            for (int i = 0; i < count; i++) {
                ProducerRecord<String, String> record =
                    new ProducerRecord<>(topic, 0, "key-" + i, "value-" + i);
                record.headers().add("from", "java".getBytes(StandardCharsets.UTF_8));
                producer.send(record, (metadata, fault) -> {
                    if (fault != null) {
                        System.err.println(fault);
                        System.exit(1);
                    }
                });
            }
        }
    }

    static void transact(String bootstrap, String topic, int count) throws Exception {
        Properties config = new Properties();
        config.put("bootstrap.servers", bootstrap);
        config.put("transactional.id", "java-" + topic);
        StringSerializer text = new StringSerializer();
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(config, text, text)) {
            producer.initTransactions();
            for (int i = 0; i < count; i++) {
                producer.beginTransaction();
                for (int j = 0; j < 10; j++) {
                    String value = "java-" + i + "-" + j;
                    producer.send(new ProducerRecord<>(topic, 0, "key-" + j, value));
                }
                // Else an abort would drop what was never written.
                producer.flush();
                if (i % 10 == 4) {
                    producer.abortTransaction();
                } else {
                    producer.commitTransaction();
                }
            }
        }
    }

    static void limit(String bootstrap, String client, double rate) throws Exception {
        Properties config = new Properties();
        config.put("bootstrap.servers", bootstrap);
        ClientQuotaEntity entity = new ClientQuotaEntity(Map.of(ClientQuotaEntity.CLIENT_ID, client));
        ClientQuotaAlteration.Op op = new ClientQuotaAlteration.Op("consumer_byte_rate", rate);
        try (Admin admin = Admin.create(config)) {
            admin.alterClientQuotas(List.of(new ClientQuotaAlteration(entity, List.of(op)))).all().get();
        }
    }

    static void read(String bootstrap, String topic, int count) {
        Properties config = new Properties();
        config.put("bootstrap.servers", bootstrap);
        config.put("auto.offset.reset", "none");
        config.put("enable.auto.commit", "false");
        StringDeserializer text = new StringDeserializer();
        StringBuilder out = new StringBuilder();
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(config, text, text)) {
            TopicPartition partition = new TopicPartition(topic, 0);
            consumer.assign(List.of(partition));
            consumer.seek(partition, 0);
            long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
            for (int seen = 0; seen < count && System.nanoTime() < deadline;) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) {
                    out.append(line(record)).append('\n');
                    seen++;
                }
            }
        }
        System.out.print(out);
    }

    static String line(ConsumerRecord<String, String> record) {
        StringJoiner headers = new StringJoiner(",");
        for (Header header : record.headers()) {
            headers.add(header.key() + "=" + new String(header.value(), StandardCharsets.UTF_8));
        }
        return record.offset() + "|" + record.key() + "|" + record.value() + "|" + headers;
    }
}

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.function.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Deserializer;

/** Reads a topic as it is: from its first record to its end when it is called, committed records only. */
final class Topics {
    private static final long TIMEOUT_MS = 30_000;

    private Topics() {}

    static <K, V> void read(
        Properties config,
        String topic,
        Deserializer<K> keys,
        Deserializer<V> values,
        Consumer<ConsumerRecord<K, V>> take) {
        Properties own = new Properties();
        own.putAll(config);
        own.put("isolation.level", "read_committed");
        own.put("enable.auto.commit", "false");
        own.put("auto.offset.reset", "none");
        try (KafkaConsumer<K, V> consumer = new KafkaConsumer<>(own, keys, values)) {
            List<TopicPartition> partitions = new ArrayList<>();
            consumer.partitionsFor(topic).forEach(info -> partitions.add(new TopicPartition(topic, info.partition())));
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            Set<TopicPartition> open = new HashSet<>(partitions);
            long deadline = System.currentTimeMillis() + TIMEOUT_MS;
            while (true) {
                open.removeIf(partition -> consumer.position(partition) >= ends.get(partition));
                if (open.isEmpty()) return;
                if (System.currentTimeMillis() > deadline) throw new IllegalStateException("still behind in " + open);
                for (ConsumerRecord<K, V> record : consumer.poll(Duration.ofMillis(100))) {
                    if (record.offset() < ends.get(new TopicPartition(topic, record.partition()))) take.accept(record);
                }
            }
        }
    }
}

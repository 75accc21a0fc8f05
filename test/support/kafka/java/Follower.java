import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * A read_committed consumer that reads topics along from their first record, while a test disturbs everything else. It
 * sends what it reads as it comes, and is done once it was told to end and has what was committed by then.
 */
final class Follower {
    private enum Order { GO_ON, END, DROP }

    private static final Duration POLL = Duration.ofMillis(100);
    private static final long RETRY_MS = 50;
    private static final Map<String, Follower> BY_NAME = new ConcurrentHashMap<>();

    private volatile Order order = Order.GO_ON;

    private Follower() {}

    static JsonNode follow(JsonNode request, Oracle.Answers answers) throws Exception {
        Follower follower = new Follower();
        String name = request.get("name").asText();
        BY_NAME.put(name, follower);
        try {
            follower.run(request, answers);
        } finally {
            BY_NAME.remove(name);
        }
        return Oracle.JSON.nullNode();
    }

    /** One that has ended already is told nothing. */
    static JsonNode end(JsonNode request) {
        Follower follower = BY_NAME.get(request.get("name").asText());
        if (follower != null) follower.order = request.get("drop").asBoolean() ? Order.DROP : Order.END;
        return Oracle.JSON.nullNode();
    }

    private void run(JsonNode request, Oracle.Answers answers) throws Exception {
        Properties config = Oracle.config(request);
        config.put("isolation.level", "read_committed");
        config.put("enable.auto.commit", "false");
        config.put("auto.offset.reset", "none");
        int id = request.get("id").asInt();
        long patience = Duration.ofMillis(request.get("timeoutMs").asLong()).toNanos();
        ByteArrayDeserializer bytes = new ByteArrayDeserializer();
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(config, bytes, bytes)) {
            List<TopicPartition> partitions = partitions(consumer, request, patience);
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            answers.send(id, "records", Oracle.JSON.createArrayNode());
            Map<TopicPartition, Long> ends = null;
            long deadline = Long.MAX_VALUE;
            while (order != Order.DROP) {
                if (order == Order.END && ends == null) {
                    ends = consumer.endOffsets(partitions);
                    deadline = System.nanoTime() + patience;
                }
                if (ends != null && isPast(consumer, ends)) return;
                if (System.nanoTime() > deadline) throw new TimeoutException("still behind " + ends);
                ArrayNode records = Oracle.JSON.createArrayNode();
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) records.add(toJson(record));
                if (!records.isEmpty()) answers.send(id, "records", records);
            }
        }
    }

    private static boolean isPast(KafkaConsumer<byte[], byte[]> consumer, Map<TopicPartition, Long> ends) {
        return ends.entrySet().stream().allMatch(end -> consumer.position(end.getKey()) >= end.getValue());
    }

    private static List<TopicPartition> partitions(
        KafkaConsumer<byte[], byte[]> consumer, JsonNode request, long patience) throws Exception {
        long deadline = System.nanoTime() + patience;
        Set<String> missing = new HashSet<>();
        request.get("topics").forEach(topic -> missing.add(topic.asText()));
        List<TopicPartition> found = new ArrayList<>();
        while (true) {
            for (String topic : Set.copyOf(missing)) {
                consumer.partitionsFor(topic).forEach(info -> {
                    found.add(new TopicPartition(topic, info.partition()));
                    missing.remove(topic);
                });
            }
            if (missing.isEmpty()) return found;
            if (System.nanoTime() > deadline) throw new TimeoutException("there is no " + missing);
            Thread.sleep(RETRY_MS);
        }
    }

    private static ObjectNode toJson(ConsumerRecord<byte[], byte[]> record) {
        return Oracle.toJson(record).put("topic", record.topic());
    }
}

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Kafka's own Java clients behind a socket, for tests that judge what another client wrote or read.
 *
 * One JSON object per line: {"id", "op", ...} in; {"id", "records"} any number of times and then {"id", "done"} or
 * {"id", "error"} out. Bytes are base64. Requests of one connection run at the same time. It prints its port on
 * stdout, and ends when its stdin does, so it does not outlive who started it.
 */
public final class Oracle {
    static final ObjectMapper JSON = new ObjectMapper();
    /** Transactional producers, which outlive a request, by transactional id. */
    private final Map<String, KafkaProducer<byte[], byte[]>> transactional = new ConcurrentHashMap<>();
    /** Those of them that are in a transaction. */
    private final Set<String> inTransaction = ConcurrentHashMap.newKeySet();
    private final ExecutorService threads = Executors.newCachedThreadPool();

    public static void main(String[] args) throws Exception {
        ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        System.out.println(server.getLocalPort());
        Oracle oracle = new Oracle();
        oracle.threads.execute(() -> {
            try {
                while (true) {
                    Socket socket = server.accept();
                    oracle.threads.execute(() -> oracle.serve(socket));
                }
            } catch (IOException closed) {
                Runtime.getRuntime().halt(1);
            }
        });
        while (System.in.read() >= 0) {
            // Only its end matters.
        }
        Runtime.getRuntime().halt(0);
    }

    private void serve(Socket socket) {
        try (socket) {
            BufferedReader in = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
            Answers answers = new Answers(socket);
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                JsonNode request = JSON.readTree(line);
                threads.execute(() -> answer(request, answers));
            }
        } catch (IOException gone) {
            // The test is over.
        }
    }

    private void answer(JsonNode request, Answers answers) {
        int id = request.get("id").asInt();
        try {
            answers.send(id, "done", perform(request, answers));
        } catch (Throwable failure) {
            Throwable cause = failure.getCause() == null ? failure : failure.getCause();
            answers.send(id, "error", JSON.getNodeFactory().textNode(cause.getClass().getSimpleName() + ": " + cause.getMessage()));
        }
    }

    private JsonNode perform(JsonNode request, Answers answers) throws Exception {
        String op = request.get("op").asText();
        switch (op) {
            case "read":
                return read(request, answers);
            case "follow":
                return Follower.follow(request, answers);
            case "endFollow":
                return Follower.end(request);
            case "produce":
                return produce(request);
            case "endTransaction":
                return endTransaction(request);
            case "abandon":
                return abandon(request);
            case "privateKey":
                return privateKey(request);
            default:
                return Administration.perform(op, request);
        }
    }

    /** Every record up to the end as it is now; for read_committed that is the last stable offset. Gives up when nothing comes. */
    private JsonNode read(JsonNode request, Answers answers) throws Exception {
        Properties config = config(request);
        config.put("isolation.level", request.get("isolation").asText());
        config.put("enable.auto.commit", "false");
        config.put("auto.offset.reset", "none");
        long patience = Duration.ofMillis(request.get("timeoutMs").asLong()).toNanos();
        long deadline = System.nanoTime() + patience;
        ByteArrayDeserializer bytes = new ByteArrayDeserializer();
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(config, bytes, bytes)) {
            List<TopicPartition> partitions = new ArrayList<>();
            consumer.partitionsFor(request.get("topic").asText())
                .forEach(info -> partitions.add(new TopicPartition(info.topic(), info.partition())));
            if (partitions.isEmpty()) throw new IllegalStateException("there is no such topic");
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            Set<TopicPartition> open = new HashSet<>(partitions);
            while (true) {
                open.removeIf(partition -> consumer.position(partition) >= ends.get(partition));
                if (open.isEmpty()) return offsets(ends);
                if (System.nanoTime() > deadline) throw new TimeoutException("still behind in " + open);
                ArrayNode records = JSON.createArrayNode();
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                    TopicPartition partition = new TopicPartition(record.topic(), record.partition());
                    if (record.offset() < ends.get(partition)) records.add(toJson(record));
                }
                if (records.isEmpty()) continue;
                answers.send(request.get("id").asInt(), "records", records);
                deadline = System.nanoTime() + patience;
            }
        }
    }

    /** Where each record went, in their order. Java's partitioner chooses where no partition is named. */
    private JsonNode produce(JsonNode request) throws Exception {
        JsonNode transactionalId = request.get("transactionalId");
        if (transactionalId != null) return produceInTransaction(transactionalId.asText(), request);
        try (KafkaProducer<byte[], byte[]> producer = producer(request)) {
            return positions(send(producer, request));
        }
    }

    private JsonNode produceInTransaction(String id, JsonNode request) throws Exception {
        KafkaProducer<byte[], byte[]> producer = transactional.get(id);
        if (producer == null) {
            producer = producer(request);
            producer.initTransactions();
            transactional.put(id, producer);
        }
        if (inTransaction.add(id)) producer.beginTransaction();
        List<Future<RecordMetadata>> sent = send(producer, request);
        // Aborting would drop what was not sent: the log is to have it.
        producer.flush();
        JsonNode positions = positions(sent);
        if (!request.get("end").asText().equals("open")) endTransaction(request);
        return positions;
    }

    private JsonNode endTransaction(JsonNode request) {
        String id = request.get("transactionalId").asText();
        if (!inTransaction.remove(id)) throw new IllegalStateException(id + " is in no transaction");
        KafkaProducer<byte[], byte[]> producer = transactional.get(id);
        if (request.get("end").asText().equals("commit")) producer.commitTransaction();
        else producer.abortTransaction();
        return JSON.nullNode();
    }

    /** As if its process had been killed: an open transaction stays open. */
    private JsonNode abandon(JsonNode request) {
        String id = request.get("transactionalId").asText();
        inTransaction.remove(id);
        KafkaProducer<byte[], byte[]> producer = transactional.remove(id);
        if (producer != null) producer.close(Duration.ZERO);
        return JSON.nullNode();
    }

    /** PEM of the key in a PKCS12 store, which neither keytool nor Node takes out. */
    private static JsonNode privateKey(JsonNode request) throws Exception {
        char[] password = request.get("password").asText().toCharArray();
        KeyStore store = KeyStore.getInstance(new File(request.get("file").asText()), password);
        byte[] key = store.getKey(request.get("alias").asText(), password).getEncoded();
        String lines = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(key);
        return JSON.getNodeFactory().textNode("-----BEGIN PRIVATE KEY-----\n" + lines + "\n-----END PRIVATE KEY-----\n");
    }

    private static KafkaProducer<byte[], byte[]> producer(JsonNode request) {
        Properties config = config(request);
        JsonNode transactionalId = request.get("transactionalId");
        if (transactionalId != null) config.put("transactional.id", transactionalId.asText());
        ByteArraySerializer bytes = new ByteArraySerializer();
        return new KafkaProducer<>(config, bytes, bytes);
    }

    private static List<Future<RecordMetadata>> send(KafkaProducer<byte[], byte[]> producer, JsonNode request) throws IOException {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (JsonNode record : request.get("records")) {
            List<Header> headers = new ArrayList<>();
            for (JsonNode header : record.path("headers")) {
                headers.add(new RecordHeader(header.get(0).asText(), bytes(header.get(1))));
            }
            Integer partition = record.hasNonNull("partition") ? record.get("partition").asInt() : null;
            Long timestamp = record.hasNonNull("timestamp") ? record.get("timestamp").asLong() : null;
            String topic = request.get("topic").asText();
            sent.add(producer.send(
                new ProducerRecord<>(topic, partition, timestamp, bytes(record.get("key")), bytes(record.get("value")), headers)));
        }
        return sent;
    }

    private static JsonNode positions(List<Future<RecordMetadata>> sent) throws Exception {
        ArrayNode positions = JSON.createArrayNode();
        for (Future<RecordMetadata> one : sent) {
            RecordMetadata metadata = one.get();
            positions.addObject().put("partition", metadata.partition()).put("offset", metadata.offset());
        }
        return positions;
    }

    static JsonNode offsets(Map<TopicPartition, Long> offsets) {
        ObjectNode byPartition = JSON.createObjectNode();
        offsets.forEach((partition, offset) -> byPartition.put(String.valueOf(partition.partition()), offset));
        return byPartition;
    }

    static ObjectNode toJson(ConsumerRecord<byte[], byte[]> record) {
        ObjectNode json = JSON.createObjectNode();
        json.put("partition", record.partition()).put("offset", record.offset()).put("timestamp", record.timestamp());
        json.put("key", base64(record.key())).put("value", base64(record.value()));
        ArrayNode headers = json.putArray("headers");
        for (Header header : record.headers()) headers.addArray().add(header.key()).add(base64(header.value()));
        return json;
    }

    /** Settings of the client that the request asks for, as Kafka names them. */
    static Properties config(JsonNode request) {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", request.get("bootstrap").asText());
        request.path("config").properties().forEach(entry -> config.put(entry.getKey(), entry.getValue().asText()));
        Properties properties = new Properties();
        properties.putAll(config);
        return properties;
    }

    private static byte[] bytes(JsonNode base64) {
        return base64 == null || base64.isNull() ? null : Base64.getDecoder().decode(base64.asText());
    }

    private static String base64(byte[] bytes) {
        return bytes == null ? null : Base64.getEncoder().encodeToString(bytes);
    }

    /** The way back, one line at a time. */
    static final class Answers {
        private final BufferedWriter out;

        Answers(Socket socket) throws IOException {
            out = new BufferedWriter(new OutputStreamWriter(socket.getOutputStream(), StandardCharsets.UTF_8));
        }

        synchronized void send(int id, String name, JsonNode content) {
            try {
                ObjectNode line = JSON.createObjectNode().put("id", id);
                line.set(name, content);
                out.write(JSON.writeValueAsString(line));
                out.write('\n');
                out.flush();
            } catch (IOException gone) {
                // Nobody waits for it.
            }
        }
    }
}

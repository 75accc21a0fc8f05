import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TransactionListing;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;

/** What is asked of the cluster itself. What changes something answers once brokers show it. */
final class Administration {
    private static final long POLL_MS = 20;

    private Administration() {}

    static JsonNode perform(String op, JsonNode request) throws Exception {
        Properties config = Oracle.config(request);
        // A broker that is halted answers nothing; then another is asked.
        config.putIfAbsent("request.timeout.ms", "3000");
        try (Admin admin = Admin.create(config)) {
            switch (op) {
                case "createTopic":
                    return createTopic(admin, request);
                case "offsets":
                    return offsets(admin, request);
                case "deleteRecords":
                    return deleteRecords(admin, request);
                case "leader":
                    return leader(admin, request);
                case "moveLeader":
                    return moveLeader(admin, request);
                case "transactions":
                    return transactions(admin);
                default:
                    throw new IllegalArgumentException("there is no " + op);
            }
        }
    }

    private static JsonNode createTopic(Admin admin, JsonNode request) throws Exception {
        String name = request.get("topic").asText();
        int partitions = request.get("partitions").asInt();
        Optional<Short> replicas = request.hasNonNull("replicas")
            ? Optional.of((short) request.get("replicas").asInt())
            : Optional.empty();
        Map<String, String> configs = new HashMap<>();
        request.path("configs").properties().forEach(entry -> configs.put(entry.getKey(), entry.getValue().asText()));
        admin.createTopics(Set.of(new NewTopic(name, Optional.of(partitions), replicas).configs(configs))).all().get();
        until(request, () -> views(admin, name).stream().allMatch(leaders -> leaders.size() == partitions));
        return Oracle.JSON.nullNode();
    }

    /** First offset, high watermark and last stable offset of each partition. */
    private static JsonNode offsets(Admin admin, JsonNode request) throws Exception {
        String topic = request.get("topic").asText();
        Set<TopicPartition> partitions = describe(admin, topic).stream()
            .map(info -> new TopicPartition(topic, info.partition()))
            .collect(Collectors.toSet());
        ObjectNode answer = Oracle.JSON.createObjectNode();
        answer.set("start", list(admin, partitions, OffsetSpec.earliest(), IsolationLevel.READ_UNCOMMITTED));
        answer.set("end", list(admin, partitions, OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED));
        answer.set("stable", list(admin, partitions, OffsetSpec.latest(), IsolationLevel.READ_COMMITTED));
        return answer;
    }

    private static JsonNode list(Admin admin, Set<TopicPartition> partitions, OffsetSpec spec, IsolationLevel level)
        throws Exception {
        Map<TopicPartition, OffsetSpec> wanted = partitions.stream().collect(Collectors.toMap(one -> one, one -> spec));
        Map<TopicPartition, ListOffsetsResultInfo> found =
            admin.listOffsets(wanted, new ListOffsetsOptions(level)).all().get();
        Map<TopicPartition, Long> offsets = new HashMap<>();
        found.forEach((partition, info) -> offsets.put(partition, info.offset()));
        return Oracle.offsets(offsets);
    }

    private static JsonNode deleteRecords(Admin admin, JsonNode request) throws Exception {
        TopicPartition partition = partition(request);
        RecordsToDelete before = RecordsToDelete.beforeOffset(request.get("before").asLong());
        admin.deleteRecords(Map.of(partition, before)).all().get();
        return Oracle.JSON.nullNode();
    }

    /** -1 where there is none, and while the brokers do not agree. */
    private static JsonNode leader(Admin admin, JsonNode request) throws Exception {
        return Oracle.JSON.getNodeFactory().numberNode(leader(admin, partition(request)));
    }

    /** Makes a replica the preferred leader, and then the leader. */
    private static JsonNode moveLeader(Admin admin, JsonNode request) throws Exception {
        TopicPartition partition = partition(request);
        int broker = request.get("broker").asInt();
        until(request, () -> inSync(admin, partition).contains(broker));
        List<Integer> replicas = new ArrayList<>();
        describe(admin, partition).replicas().forEach(replica -> replicas.add(replica.id()));
        replicas.sort(Comparator.comparing(id -> id != broker));
        admin.alterPartitionReassignments(Map.of(partition, Optional.of(new NewPartitionReassignment(replicas)))).all().get();
        until(request, () -> admin.listPartitionReassignments(Set.of(partition)).reassignments().get().isEmpty());
        until(request, () -> {
            admin.electLeaders(ElectionType.PREFERRED, Set.of(partition)).partitions().get();
            return leader(admin, partition) == broker;
        });
        return Oracle.JSON.nullNode();
    }

    private static int leader(Admin admin, TopicPartition partition) throws Exception {
        Set<Integer> said = views(admin, partition.topic()).stream()
            .map(leaders -> leaders.getOrDefault(partition.partition(), -1))
            .collect(Collectors.toSet());
        return said.size() == 1 ? said.iterator().next() : -1;
    }

    /** Leaders by partition as each broker that answers knows them. */
    private static List<Map<Integer, Integer>> views(Admin admin, String topic) throws Exception {
        return admin.describeCluster().nodes().get().stream()
            .flatMap(broker -> BrokerView.leaders(broker, topic).stream())
            .collect(Collectors.toList());
    }

    private static Set<Integer> inSync(Admin admin, TopicPartition partition) throws Exception {
        return describe(admin, partition).isr().stream().map(Node::id).collect(Collectors.toSet());
    }

    private static JsonNode transactions(Admin admin) throws Exception {
        ArrayNode answer = Oracle.JSON.createArrayNode();
        for (TransactionListing listing : admin.listTransactions().all().get()) {
            answer.addObject()
                .put("transactionalId", listing.transactionalId())
                .put("producerId", listing.producerId())
                .put("state", listing.state().toString());
        }
        return answer;
    }

    private static List<TopicPartitionInfo> describe(Admin admin, String topic) throws Exception {
        return admin.describeTopics(Set.of(topic)).allTopicNames().get().get(topic).partitions();
    }

    private static TopicPartitionInfo describe(Admin admin, TopicPartition partition) throws Exception {
        return describe(admin, partition.topic()).get(partition.partition());
    }

    private static TopicPartition partition(JsonNode request) {
        return new TopicPartition(request.get("topic").asText(), request.get("partition").asInt());
    }

    private interface Condition {
        boolean holds() throws Exception;
    }

    /** What a broker does not know yet, it may know soon. */
    private static void until(JsonNode request, Condition condition) throws Exception {
        long deadline = System.nanoTime() + request.get("timeoutMs").asLong() * 1_000_000;
        Exception last = null;
        while (System.nanoTime() < deadline) {
            try {
                if (condition.holds()) return;
                last = null;
            } catch (java.util.concurrent.ExecutionException notYet) {
                last = notYet;
            }
            Thread.sleep(POLL_MS);
        }
        TimeoutException late = new TimeoutException(request.get("op").asText() + " is not done in time");
        if (last != null) late.initCause(last);
        throw late;
    }
}

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.apicurio.registry.serde.SerdeConfig;
import io.apicurio.registry.serde.avro.AvroKafkaDeserializer;
import io.apicurio.registry.serde.avro.AvroKafkaSerializer;
import io.apicurio.registry.serde.config.IdOption;
import java.io.File;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.generic.GenericRecordBuilder;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * A Java application among others: reads Avro records of one topic, prints them as JSON, a line each, and writes them to
 * another topic, under the schema that the registry has for the subject, or under a newer one that it registers there.
 *
 * <p>Arguments: brokers, the registry's own API, topic to read, topic to write, subject, and the file of a newer schema.
 */
final class AvroRelay {
    private AvroRelay() {}

    public static void main(String[] args) throws Exception {
        Schema newer = args.length > 5 ? new Schema.Parser().parse(new File(args[5])) : null;
        Properties kafka = new Properties();
        kafka.put("bootstrap.servers", args[0]);
        kafka.put("acks", "all");
        Map<String, Object> serde = serdeConfig(args[1], args[4], newer != null);
        List<ProducerRecord<String, GenericRecord>> relayed = new ArrayList<>();
        ObjectMapper json = new ObjectMapper();
        try (AvroKafkaDeserializer<GenericRecord> values = new AvroKafkaDeserializer<>()) {
            values.configure(serde, false);
            Topics.read(kafka, args[2], new StringDeserializer(), values, record -> {
                ObjectNode line = json.createObjectNode().put("key", record.key());
                try {
                    line.set("value", json.readTree(record.value().toString()));
                } catch (java.io.IOException cause) {
                    throw new IllegalStateException(cause);
                }
                System.out.println(line);
                GenericRecord value = newer == null ? record.value() : grown(record.value(), newer);
                relayed.add(new ProducerRecord<>(args[3], null, record.timestamp(), record.key(), value));
            });
        }
        AvroKafkaSerializer<GenericRecord> values = new AvroKafkaSerializer<>();
        values.configure(serde, false);
        try (KafkaProducer<String, GenericRecord> producer = new KafkaProducer<>(kafka, new StringSerializer(), values)) {
            for (ProducerRecord<String, GenericRecord> record : relayed) producer.send(record).get();
        }
    }

    /** Confluent's format: a zero byte and four of the id, which is that of the schema's content. No headers. */
    private static Map<String, Object> serdeConfig(String registry, String subject, boolean registers) {
        Map<String, Object> config = new HashMap<>();
        config.put(SerdeConfig.REGISTRY_URL, registry);
        config.put(SerdeConfig.ENABLE_CONFLUENT_ID_HANDLER, true);
        config.put(SerdeConfig.USE_ID, IdOption.contentId.name());
        config.put(SerdeConfig.ENABLE_HEADERS, false);
        config.put(SerdeConfig.EXPLICIT_ARTIFACT_ID, subject);
        config.put(SerdeConfig.AUTO_REGISTER_ARTIFACT, registers);
        config.put(SerdeConfig.AUTO_REGISTER_ARTIFACT_IF_EXISTS, "RETURN_OR_UPDATE");
        config.put(SerdeConfig.FIND_LATEST_ARTIFACT, !registers);
        return config;
    }

    /** The record under a newer schema: what it lacks is the default. */
    private static GenericRecord grown(GenericRecord old, Schema schema) {
        GenericRecordBuilder builder = new GenericRecordBuilder(new GenericData.Record(schema));
        for (Schema.Field field : schema.getFields()) {
            if (old.hasField(field.name())) builder.set(field, old.get(field.name()));
        }
        return builder.build();
    }
}

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * What a Java application does with a changelog: the newest value of each key is the table, and a record without value
 * deletes.
 *
 * <p>Arguments: brokers, topic, and the file of an Avro schema where values are not text. Prints a line of JSON for each
 * row, with the values as JSON.
 */
final class ChangelogMap {
    private ChangelogMap() {}

    public static void main(String[] args) throws Exception {
        Properties config = new Properties();
        config.put("bootstrap.servers", args[0]);
        Deserializer<String> values = args.length > 2 ? avro(new Schema.Parser().parse(new File(args[2]))) : new StringDeserializer();
        Map<String, String> table = new TreeMap<>();
        long[] tombstones = {0};
        Topics.read(config, args[1], new StringDeserializer(), values, record -> {
            if (record.value() != null) {
                table.put(record.key(), record.value());
                return;
            }
            tombstones[0] += 1;
            table.remove(record.key());
        });
        ObjectMapper json = new ObjectMapper();
        for (Map.Entry<String, String> row : table.entrySet()) {
            ObjectNode line = json.createObjectNode().put("key", row.getKey());
            line.set("value", json.readTree(row.getValue()));
            System.out.println(json.writeValueAsString(line));
        }
        System.out.println(json.writeValueAsString(json.createObjectNode().put("tombstones", tombstones[0])));
    }

    private static Deserializer<String> avro(Schema schema) {
        GenericDatumReader<GenericRecord> reader = new GenericDatumReader<>(schema);
        return (topic, bytes) -> {
            if (bytes == null) return null;
            try {
                return reader.read(null, DecoderFactory.get().binaryDecoder(bytes, null)).toString();
            } catch (Exception cause) {
                throw new IllegalStateException("a value that is no " + schema.getName(), cause);
            }
        };
    }
}

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.common.Node;

/**
 * What one broker knows of a topic. Kafka's clients ask any broker, and one of them may be behind the others; the
 * Metadata request of version 1, sent by hand, asks this one.
 */
final class BrokerView {
    private static final short METADATA_KEY = 3;
    private static final short METADATA_VERSION = 1;
    private static final int TIMEOUT_MS = 1_000;

    private BrokerView() {}

    /** Leader by partition, without those that have none; nothing where the broker does not answer. */
    static Optional<Map<Integer, Integer>> leaders(Node broker, String topic) {
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(broker.host(), broker.port()), TIMEOUT_MS);
            socket.setSoTimeout(TIMEOUT_MS);
            new DataOutputStream(socket.getOutputStream()).write(request(topic));
            DataInputStream in = new DataInputStream(socket.getInputStream());
            return Optional.of(leaders(ByteBuffer.wrap(in.readNBytes(in.readInt()))));
        } catch (IOException silent) {
            return Optional.empty();
        }
    }

    private static byte[] request(String topic) {
        byte[] name = topic.getBytes(StandardCharsets.UTF_8);
        int length = 2 + 2 + 4 + 2 + 4 + 2 + name.length;
        ByteBuffer request = ByteBuffer.allocate(4 + length).putInt(length);
        request.putShort(METADATA_KEY).putShort(METADATA_VERSION).putInt(1);
        // No client id; one topic.
        request.putShort((short) -1).putInt(1).putShort((short) name.length).put(name);
        return request.array();
    }

    private static Map<Integer, Integer> leaders(ByteBuffer answer) {
        answer.getInt();
        for (int brokers = answer.getInt(); brokers > 0; brokers -= 1) {
            answer.getInt();
            skipString(answer);
            answer.getInt();
            skipString(answer);
        }
        // Id of the controller, number of topics, the topic's error.
        answer.getInt();
        answer.getInt();
        answer.getShort();
        skipString(answer);
        answer.get();
        Map<Integer, Integer> leaders = new HashMap<>();
        for (int partitions = answer.getInt(); partitions > 0; partitions -= 1) {
            answer.getShort();
            int partition = answer.getInt();
            int leader = answer.getInt();
            if (leader >= 0) leaders.put(partition, leader);
            skipIds(answer);
            skipIds(answer);
        }
        return leaders;
    }

    private static void skipString(ByteBuffer answer) {
        int length = answer.getShort();
        answer.position(answer.position() + Math.max(0, length));
    }

    private static void skipIds(ByteBuffer answer) {
        int count = answer.getInt();
        answer.position(answer.position() + Integer.BYTES * count);
    }
}

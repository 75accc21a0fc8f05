import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.StateRestoreListener;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.QueryableStoreTypes;
import org.apache.kafka.streams.state.ReadOnlyKeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/**
 * The coupon issuance of the shop on Kafka Streams: exactly once, RocksDB, everything else as it comes.
 *
 * <p>System properties: bootstrap, application, directory, output (prefix of the results' topics), commitIntervalMs,
 * requests (whether verdicts are kept under their request ids), instance (of a static member; else none), and, to be
 * asked for as soon as the process can, couponId and userId of a claim.
 */
public final class Coupons {
    private static final String CAMPAIGNS = "coupon.campaign.requested";
    private static final String REQUESTS = "coupon.issue.requested";
    private static final int SESSION_TIMEOUT_MS = 6_000;

    private Coupons() {}

    public static void main(String[] args) throws Exception {
        boolean keepsRequests = Boolean.getBoolean("requests");
        KafkaStreams streams = new KafkaStreams(topology(keepsRequests), config());
        CountDownLatch running = new CountDownLatch(1);
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.RUNNING) {
                Told.line("running", "");
                running.countDown();
            }
            if (now == KafkaStreams.State.ERROR) Runtime.getRuntime().halt(1);
        });
        streams.setGlobalStateRestoreListener(new Restores());
        CountDownLatch stopped = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            streams.close(Duration.ofSeconds(60));
            stopped.countDown();
        }));
        streams.start();
        running.await();
        String userId = System.getProperty("userId");
        if (userId != null) ask(streams, System.getProperty("couponId") + '\0' + userId);
        stopped.await();
    }

    /** Tells when the claim is answered, which must be there. */
    private static void ask(KafkaStreams streams, String claimKey) throws InterruptedException {
        ReadOnlyKeyValueStore<String, Rows.Claim> claims = streams.store(
            StoreQueryParameters.fromNameAndType("claims", QueryableStoreTypes.<String, Rows.Claim>keyValueStore()));
        if (claims.get(claimKey) == null) throw new IllegalStateException("the claim is gone");
        Told.line("answered", "");
    }

    private static Properties config() {
        Properties config = new Properties();
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, System.getProperty("application"));
        config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, System.getProperty("bootstrap"));
        config.put(StreamsConfig.STATE_DIR_CONFIG, System.getProperty("directory"));
        config.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        config.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, System.getProperty("commitIntervalMs"));
        config.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        config.put(StreamsConfig.consumerPrefix("session.timeout.ms"), SESSION_TIMEOUT_MS);
        String instance = System.getProperty("instance");
        if (instance != null) config.put(StreamsConfig.consumerPrefix("group.instance.id"), instance);
        return config;
    }

    private static Topology topology(boolean keepsRequests) {
        Serde<String> string = Serdes.String();
        String output = System.getProperty("output");
        Topology topology = new Topology()
            .addSource("commands", string.deserializer(), serde(Rows.Campaign::requested).deserializer(), CAMPAIGNS)
            .addSource("requested", string.deserializer(), serde(Rows.Request::read).deserializer(), REQUESTS)
            .addProcessor("keep", Keeper::new, "commands")
            .addProcessor("issuer", () -> new Issuer(keepsRequests), "requested")
            // A few keys that change again and again: their caches keep them to a change per commit.
            .addStateStore(store("campaigns", Rows.serde(Rows.Campaign::write, Rows.Campaign::read)).withCachingEnabled(),
                "keep", "issuer")
            .addStateStore(store("counters", Rows.serde(Rows.Counters::write, Rows.Counters::read)).withCachingEnabled(),
                "issuer")
            // A new key for each request: a cache would be one more copy.
            .addStateStore(store("claims", Rows.serde(Rows.Claim::write, Rows.Claim::read)), "issuer")
            .addSink("issued", output + "issued", string.serializer(), Serdes.ByteArray().serializer(), "issuer")
            .addSink("rejected", output + "rejected", string.serializer(), Serdes.ByteArray().serializer(), "issuer");
        if (keepsRequests) {
            topology.addStateStore(store("requests", Rows.serde(Rows.Verdict::write, Rows.Verdict::read)), "issuer");
        }
        return topology;
    }

    private static <V> StoreBuilder<KeyValueStore<String, V>> store(String name, Serde<V> value) {
        return Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(name), Serdes.String(), value);
    }

    private static <T> Serde<T> serde(java.util.function.Function<byte[], T> read) {
        return Rows.serde(value -> null, read);
    }

    private static final class Keeper extends ContextualProcessor<String, Rows.Campaign, Void, Void> {
        @Override
        public void process(Record<String, Rows.Campaign> record) {
            Told.first();
            KeyValueStore<String, Rows.Campaign> campaigns = context().getStateStore("campaigns");
            campaigns.put(record.key(), record.value());
        }
    }

    private static final class Restores implements StateRestoreListener {
        private final AtomicLong from = new AtomicLong();

        @Override
        public void onRestoreStart(TopicPartition partition, String store, long first, long end) {
            from.compareAndSet(0, System.currentTimeMillis());
        }

        @Override
        public void onBatchRestored(TopicPartition partition, String store, long end, long records) {}

        @Override
        public void onRestoreEnd(TopicPartition partition, String store, long records) {
            Told.line("restored", ",\"since\":" + from.get() + ",\"records\":" + records);
        }
    }
}

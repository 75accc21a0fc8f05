import java.util.function.Function;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** What comes in, what goes out and what is kept; the same fields as in the schemas of the shop. */
final class Rows {
    /** Of the format that a record with a schema id has. */
    private static final int HEADER_BYTES = 5;
    private static final int ISSUED_SCHEMA_ID = 1;
    private static final int REJECTED_SCHEMA_ID = 2;
    private static final ThreadLocal<AvroBytes.Out> OUT = ThreadLocal.withInitial(AvroBytes.Out::new);

    private Rows() {}

    /** Places in the schemas' lists of symbols. */
    static final int STATUS_ACTIVE = 2;
    static final int REASON_REQUEST_ID_CONFLICT = 2;
    static final int REASON_UNKNOWN_COUPON = 3;
    static final int REASON_NOT_OPEN = 5;
    static final int REASON_CLOSED = 6;
    static final int REASON_PAUSED = 7;
    static final int REASON_DUPLICATE = 9;
    static final int REASON_SOLD_OUT = 10;

    record Campaign(long quota, long perUserLimit, long opensAt, long closesAt, int status) {
        /** As it is asked for. */
        static Campaign requested(byte[] bytes) {
            AvroBytes.In in = new AvroBytes.In(bytes, HEADER_BYTES);
            in.text();
            in.text();
            long quota = in.number();
            long perUserLimit = in.number();
            long opensAt = in.number();
            long closesAt = in.number();
            in.nullableNumber();
            // Discount: kind, value, two limits.
            in.number();
            in.number();
            in.nullableNumber();
            in.nullableNumber();
            if (in.number() != 0) throw new IllegalArgumentException("the benchmark has no lists of users");
            in.number();
            in.number();
            return new Campaign(quota, perUserLimit, opensAt, closesAt, (int) in.number());
        }

        static Campaign read(byte[] bytes) {
            AvroBytes.In in = new AvroBytes.In(bytes, 0);
            return new Campaign(in.number(), in.number(), in.number(), in.number(), (int) in.number());
        }

        byte[] write() {
            return out().number(quota).number(perUserLimit).number(opensAt).number(closesAt).number(status).done();
        }
    }

    record Request(String requestId, String couponId, String userId, String bodyHash) {
        static Request read(byte[] bytes) {
            AvroBytes.In in = new AvroBytes.In(bytes, HEADER_BYTES);
            String requestId = in.text();
            String couponId = in.text();
            String userId = in.text();
            in.number();
            in.number();
            return new Request(requestId, couponId, userId, in.nullableText());
        }
    }

    record Counters(long issued, long duplicate, long soldOut, long others) {
        static final Counters NONE = new Counters(0, 0, 0, 0);

        static Counters read(byte[] bytes) {
            AvroBytes.In in = new AvroBytes.In(bytes, 0);
            return new Counters(in.number(), in.number(), in.number(), in.number());
        }

        byte[] write() {
            return out().number(issued).number(duplicate).number(soldOut).number(others).done();
        }
    }

    record Claim(long issued, String userCouponId) {
        static Claim read(byte[] bytes) {
            AvroBytes.In in = new AvroBytes.In(bytes, 0);
            return new Claim(in.number(), in.text());
        }

        byte[] write() {
            return out().number(issued).text(userCouponId).done();
        }
    }

    /** A verdict; `reason` 0: issued. */
    record Verdict(
        String userId, int reason, String userCouponId, long sequence, long sourceOffset, long decidedAt, String bodyHash) {
        static Verdict read(byte[] bytes) {
            AvroBytes.In in = new AvroBytes.In(bytes, 0);
            return new Verdict(
                in.text(), (int) in.number(), in.nullableText(), in.number(), in.number(), in.number(), in.nullableText());
        }

        byte[] write() {
            return out().text(userId).number(reason).nullableText(userCouponId).number(sequence).number(sourceOffset)
                .number(decidedAt).nullableText(bodyHash).done();
        }

        byte[] issuedRecord(String requestId, String couponId) {
            return out().header(ISSUED_SCHEMA_ID).text(requestId).text(couponId).text(userCouponId).text(userId)
                .number(sequence).number(0).number(sourceOffset).number(decidedAt).nullableNumber(null).done();
        }

        byte[] rejectedRecord(String requestId, String couponId) {
            return out().header(REJECTED_SCHEMA_ID).text(requestId).text(couponId).text(userId).number(reason)
                .nullableText(userCouponId).number(sourceOffset).number(decidedAt).done();
        }
    }

    static <T> Serde<T> serde(Function<T, byte[]> write, Function<byte[], T> read) {
        return Serdes.serdeFrom(
            (topic, value) -> value == null ? null : write.apply(value),
            (topic, bytes) -> bytes == null ? null : read.apply(bytes));
    }

    private static AvroBytes.Out out() {
        return OUT.get().restart();
    }
}

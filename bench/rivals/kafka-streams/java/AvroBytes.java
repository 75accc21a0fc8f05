import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Avro's binary encoding, read and written by hand: nothing stands between Kafka Streams and the bytes. */
final class AvroBytes {
    private AvroBytes() {}

    /** Reads one value after the other. */
    static final class In {
        private final byte[] bytes;
        private int at;

        In(byte[] bytes, int at) {
            this.bytes = bytes;
            this.at = at;
        }

        long number() {
            long folded = 0;
            for (int shift = 0; ; shift += 7) {
                byte next = bytes[at++];
                folded |= (next & 0x7fL) << shift;
                if (next >= 0) return (folded >>> 1) ^ -(folded & 1);
            }
        }

        /** Null where the union says so, which has null first. */
        Long nullableNumber() {
            return number() == 0 ? null : Long.valueOf(number());
        }

        String text() {
            int length = (int) number();
            String text = new String(bytes, at, length, StandardCharsets.UTF_8);
            at += length;
            return text;
        }

        String nullableText() {
            return number() == 0 ? null : text();
        }
    }

    /** Writes one value after the other. Used again and again by one thread. */
    static final class Out {
        private byte[] bytes = new byte[256];
        private int at;

        Out restart() {
            at = 0;
            return this;
        }

        /** A zero byte and the schema's id, big-endian. */
        Out header(int schemaId) {
            reserve(5);
            bytes[at++] = 0;
            for (int shift = 24; shift >= 0; shift -= 8) bytes[at++] = (byte) (schemaId >>> shift);
            return this;
        }

        Out number(long value) {
            reserve(10);
            long folded = (value << 1) ^ (value >> 63);
            for (; (folded & ~0x7fL) != 0; folded >>>= 7) bytes[at++] = (byte) (folded | 0x80);
            bytes[at++] = (byte) folded;
            return this;
        }

        Out text(String value) {
            byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
            number(utf8.length);
            reserve(utf8.length);
            System.arraycopy(utf8, 0, bytes, at, utf8.length);
            at += utf8.length;
            return this;
        }

        Out nullableText(String value) {
            return value == null ? number(0) : number(1).text(value);
        }

        Out nullableNumber(Long value) {
            return value == null ? number(0) : number(1).number(value);
        }

        byte[] done() {
            return Arrays.copyOf(bytes, at);
        }

        private void reserve(int more) {
            if (at + more > bytes.length) bytes = Arrays.copyOf(bytes, Math.max(bytes.length * 2, at + more));
        }
    }
}

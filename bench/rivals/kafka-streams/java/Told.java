import java.util.concurrent.atomic.AtomicBoolean;

/** What the process tells the benchmark: a line of JSON each, with the time, epoch milliseconds. */
final class Told {
    private static final AtomicBoolean FIRST = new AtomicBoolean();

    private Told() {}

    /** The first record is processed. */
    static void first() {
        if (!FIRST.getPlain() && FIRST.compareAndSet(false, true)) line("first", "");
    }

    /** `more`: further fields, with a comma first. */
    static void line(String at, String more) {
        System.out.println("{\"at\":\"" + at + "\",\"ms\":" + System.currentTimeMillis() + more + "}");
    }
}

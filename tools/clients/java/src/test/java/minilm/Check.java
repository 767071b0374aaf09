package minilm;

import java.util.concurrent.Callable;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Future;
import java.util.function.BooleanSupplier;

/** The few assertions that the tests need, and what runs them. */
final class Check {
    private static int passed;
    private static int skipped;

    private Check() {}

    interface Body {
        void run() throws Exception;
    }

    static void test(String name, Body body) {
        try {
            body.run();
            passed += 1;
        } catch (Throwable e) {
            System.out.println("FAILED: " + name);
            e.printStackTrace(System.out);
            System.out.println("java client: FAILED");
            System.exit(1);
        }
    }

    static void skip(String name) {
        System.out.println("skipped, this engine has no such feature: " + name);
        skipped += 1;
    }

    static void report() {
        System.out.println("java client: " + passed + " tests passed, " + skipped + " skipped");
    }

    static void that(boolean condition, String what) {
        if (!condition) {
            throw new AssertionError(what);
        }
    }

    /** The exception of this type that the body throws, itself or as the failure of a future. */
    static <E extends Throwable> E fails(Class<E> type, Callable<?> body) throws Exception {
        try {
            Object value = body.call();
            if (value instanceof Future<?> future) {
                future.get();
            }
        } catch (java.util.concurrent.ExecutionException | CompletionException e) {
            if (type.isInstance(e.getCause())) {
                return type.cast(e.getCause());
            }
            throw e;
        } catch (Exception e) {
            if (type.isInstance(e)) {
                return type.cast(e);
            }
            throw e;
        }
        throw new AssertionError("no " + type.getSimpleName());
    }

    static void until(BooleanSupplier condition) throws InterruptedException {
        for (int i = 0; i < 6000 && !condition.getAsBoolean(); i++) {
            Thread.sleep(10);
        }
        that(condition.getAsBoolean(), "not within a minute");
    }

    static boolean isAlive(long pid) {
        return ProcessHandle.of(pid).map(ProcessHandle::isAlive).orElse(false);
    }

    static void equal(float[][] vectors, float[][] expected, double tolerance) {
        that(vectors.length == expected.length, vectors.length + " vectors, expected " + expected.length);
        for (int i = 0; i < vectors.length; i++) {
            that(vectors[i].length == expected[i].length, "the length of vector " + i);
            for (int k = 0; k < vectors[i].length; k++) {
                that(Math.abs(vectors[i][k] - expected[i][k]) <= tolerance, "element " + k + " of vector " + i);
            }
        }
    }
}

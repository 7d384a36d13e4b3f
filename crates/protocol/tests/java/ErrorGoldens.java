// How does Kafka call its errors, and which of them may a client try again? Run with a kafka-clients
// jar on the class path; prints one line per error: CODE NAME final|retry|metadata, the last for
// those that ask for new metadata before the retry.

import org.apache.kafka.common.errors.InvalidMetadataException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.Errors;

public final class ErrorGoldens {
    public static void main(String[] args) {
        for (Errors error : Errors.values()) {
            Exception exception = error.exception();
            String hope = exception instanceof InvalidMetadataException ? "metadata"
                : exception instanceof RetriableException ? "retry" : "final";
            System.out.println(error.code() + " " + error.name() + " " + hope);
        }
    }
}

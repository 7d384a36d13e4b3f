// Which APIs and versions does a broker of this release offer? Run with a kafka-clients jar on the
// class path and the release as argument; prints one line per API: RELEASE KEY MIN MAX.

import org.apache.kafka.common.protocol.ApiKeys;

public final class VersionGoldens {
    public static void main(String[] args) throws Exception {
        for (ApiKeys api : ApiKeys.values()) {
            short min = api.oldestVersion();
            short max = latest(api);
            if (min <= max) {
                System.out.println(args[0] + " " + api.id + " " + min + " " + max);
            }
        }
    }

    /** The newest version that is finished; older releases know no others. */
    private static short latest(ApiKeys api) throws Exception {
        try {
            return (short) ApiKeys.class.getMethod("latestVersion", boolean.class).invoke(api, false);
        } catch (NoSuchMethodException older) {
            return api.latestVersion();
        }
    }
}

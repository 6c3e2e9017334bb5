"""Every limit of the emulator's own parts."""

# How often a mapping looks for new records; Lambda asks a shard four times a second.
MAPPING_PAUSE_SECONDS = 0.05

# How often mappings that were made or removed are looked for, at the latest.
MAPPINGS_SECONDS = 1.0

# The wait after the first failed attempt of a batch; it doubles from there
RETRY_FIRST_SECONDS = 0.1

# up to this. Lambda waits longer; nothing here depends on how long.
RETRY_MOST_SECONDS = 1.0

# Bytes of one invocation's payload, set by Lambda.
INVOCATION_BYTES = 6 * 1024 * 1024

# How long a failure destination may take to answer, per attempt, and its attempts.
DESTINATION_SECONDS = 10
DESTINATION_ATTEMPTS = 3

# How often it is looked whether the tests are still there.
PARENT_SECONDS = 1

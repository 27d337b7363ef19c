#!/usr/bin/env bash
# Starts Kafka as its image does, through the image's configuration wrapper. A formatted volume is not an error.
set -euo pipefail
umask 077 # the configuration holds the administrator's password
while IFS= read -r line; do
    export "$line" # settings with the password; set here, so that `docker inspect` does not show it
done < /run/ledgerdesk/access
output=$(
    /opt/kafka/bin/kafka-run-class.sh kafka.docker.KafkaDockerWrapper setup --default-configs-dir /etc/kafka/docker \
        --mounted-configs-dir /mnt/shared/config --final-configs-dir /opt/kafka/config 2>&1
) || grep --quiet --ignore-case 'already formatted' <<< "$output" || {
    echo "$output" >&2
    exit 1
}
exec /opt/kafka/bin/kafka-server-start.sh /opt/kafka/config/server.properties

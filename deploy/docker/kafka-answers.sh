#!/usr/bin/env bash
# Kafka's health check: asks the broker for its API versions in its own protocol, and expects an answer without error.
# Kafka's tools would start a Java virtual machine for that, which takes seconds of CPU at every check.
set -euo pipefail
exec 3<> /dev/tcp/127.0.0.1/9092
# length 13, request 18 (ApiVersions) version 0, correlation 7, client "ask"
printf '\0\0\0\015\0\022\0\0\0\0\0\007\0\003ask' >&3
answer=$(head -c 10 <&3 | od -An -tx1 | tr -d ' \n')
[ "${answer:8}" = 000000070000 ] # our correlation id, error 0

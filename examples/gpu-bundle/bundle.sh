#!/usr/bin/env bash
# Packs this project into one archive for a machine that has an NVIDIA driver and nothing else: a Java runtime, all
# jars with the GPU tests, and NVRTC. See docs/gpu-bundle.md.
#
#   examples/gpu-bundle/bundle.sh [archive]       (default: examples/gpu-bundle/target/power-attention-bundle.tar.xz)
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
target=$root/examples/gpu-bundle/target
bundle=$target/bundle
archive=$(realpath -m "${1:-$target/power-attention-bundle.tar.xz}")
java_home=${JAVA_HOME:-$(dirname "$(dirname "$(realpath "$(command -v javac)")")")}

rm -rf "$target"
cd "$root"
mvn -q -Pgpu-bundle -DskipTests -pl examples/gpu-bundle -am package

# java.desktop draws the quick start's plot; java.logging, java.management and jdk.zipfs serve JUnit,
# jdk.management counts what tests allocate and hold.
"$java_home/bin/jlink" --output "$bundle/jre" --no-header-files --no-man-pages --strip-java-debug-attributes \
  --add-modules java.base,java.desktop,java.logging,java.management,jdk.jfr,jdk.management,jdk.unsupported,jdk.zipfs
# An archive of the JDK's classes, which every JDK brings: starts are faster, and an application's archive rests on it.
"$bundle/jre/bin/java" -Xshare:dump -Xlog:disable -Xlog:all=error

# The tests' jars hold hundreds of sources that are much alike: xz sees that, where a jar's own compression hides it.
for jar in "$bundle"/tests/*.jar; do
  rm -rf "$target/unpacked" && mkdir "$target/unpacked"
  (cd "$target/unpacked" && "$java_home/bin/jar" --extract --file "$jar")
  "$java_home/bin/jar" --create --no-compress --file "$jar" --manifest "$target/unpacked/META-INF/MANIFEST.MF" \
    -C "$target/unpacked" .
done

# What the quick start memorises unless it is given another text.
mkdir "$bundle/text"
git ls-files -z -- '*.md' '*.java' '*.kt' '*.cuh' | xargs -0 cp --parents -t "$bundle/text"

install -m 755 "$root/examples/gpu-bundle/run.sh" "$bundle/run.sh"
mkdir -p "$(dirname "$archive")"
tar -C "$target" --owner=0 --group=0 -cf - --transform 's,^bundle,power-attention-bundle,' bundle \
  | xz -6 -T0 > "$archive"
ls -lh "$archive"

#!/usr/bin/env bash
# Runs what bundle.sh packed, from where the archive was unpacked.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)

usage() {
  cat >&2 <<'END'
usage: run.sh doctor                                     what is found here, and what to fix
       run.sh gpu-tests [options of the JUnit console]   all tests tagged gpu
       run.sh quickstart [text] [plot.png]               memorise a text and ask it back
       run.sh kotlin [text]                              guess a text's letters
       run.sh benchmarks [results.json [forward] [training] [decode] [families] [startup]]
                                                         time the kernels, and PyTorch's where it is
       run.sh java ARGUMENTS...                          java with everything on the class path
END
  exit 2
}

run_java() {
  "$here/jre/bin/java" --enable-native-access=ALL-UNNAMED -Dpowerattention.nvrtc="$here/nvrtc/libnvrtc.so.12" \
    -cp "$here/lib/*:$here/natives:$here/tests/*" "$@"
}

require_driver() {
  # Without a driver every GPU test would be skipped, which must not pass for success.
  if [ ! -e /proc/driver/nvidia/version ]; then
    echo "run.sh: no NVIDIA driver is loaded here (/proc/driver/nvidia/version is missing)" >&2
    exit 1
  fi
}

[ $# -gt 0 ] || usage
command=$1
shift
case $command in
  doctor) run_java org.powerattention.runtime.Doctor "$@" ;;
  gpu-tests)
    require_driver
    [ -t 1 ] || set -- --disable-ansi-colors "$@"
    scan=$(printf '%s:' "$here"/tests/*.jar)
    run_java org.junit.platform.console.ConsoleLauncher execute --disable-banner --fail-if-no-tests \
      --scan-class-path="${scan%:}" --include-tag=gpu "$@"
    ;;
  quickstart)
    [ $# -gt 0 ] || set -- "$here/text"
    run_java org.powerattention.examples.quickstart.Quickstart "$@"
    ;;
  kotlin)
    [ $# -gt 0 ] || set -- "$here/text/README.md"
    run_java org.powerattention.examples.kotlin.NextLetterKt "$@"
    ;;
  benchmarks)
    require_driver
    # NVRTC would otherwise find in the driver's cache what it has compiled before.
    export CUDA_CACHE_DISABLE=1
    run_java org.powerattention.examples.benchmarks.Benchmarks "$@"
    ;;
  java) run_java "$@" ;;
  *) usage ;;
esac

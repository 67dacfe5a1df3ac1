#!/bin/sh
# How long calls for other files take while the disk is slow under one. By hand, after a build
# (target mount_slow_disk_test):
#   sh tests/bench/slow_disk.sh
# Delays are added to the daemon's own calls, as long as those of cards that were reported: fsyncs
# of 8 s, a write of 6 s, an unlink of 4 s, 20 and 500 ms for each sync of the catalog.
#   TUSFS_BIN, TUSFSCTL_BIN  the programs to measure (default: those of this build)
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
TUSFS_SLOW_DISK=full "$root/build/tests/mount/mount_slow_disk_test" --gtest_filter='SlowDisk.*' |
  sed -n 's/^slow disk: //p'

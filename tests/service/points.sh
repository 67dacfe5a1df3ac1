# Runs inside the machine that booted_systemd_test.sh boots, as root and without a terminal: one line
# for each point, "ok WHAT" or "FAILED WHAT" with the reason and the journal before it.
set -u

mount=/mnt/rig
unit=tusfs@rig.service
source=/test/source # 200,000,000 bytes
failed=0

die() { echo "  $*"; exit 1; }

# point WHAT FUNCTION: `set -e` holds in the function, and nothing of it is left behind.
point() {
    (set -e; "$2")
    status=$?
    if [ $status -eq 0 ]; then
        echo "ok $1$(cat /test/figure 2>/dev/null)"
    else
        journalctl --no-pager -o short-precise -n 120 -u 'tusfs@*'
        echo "FAILED $1"
        failed=1
    fi
    rm -f /test/figure
}

# Seconds since boot.
now() { read -r up _ </proc/uptime && echo "${up%.*}"; }

# within SECONDS COMMAND…: waits until the command is true.
within() {
    deadline=$(($(now) + $1))
    shift
    until "$@"; do
        [ "$(now)" -le "$deadline" ] || return 1
        sleep 0.02
    done
}

property() { systemctl show --value -p "$1" "${2:-$unit}"; }
is_mounted() { grep -q " $mount fuse" /proc/self/mounts; }
is_active() { [ "$(property ActiveState)" = active ]; }
# It has ended, and nothing is going to start it.
is_over() {
    case $(property ActiveState)/$(property Job) in inactive/ | failed/) ;; *) return 1 ;; esac
}
daemon() { tusfsctl status --json "${1:-$mount}" | sed -n 's/.*"daemon_pid": *\([0-9]*\).*/\1/p'; }
main_pid_is_not() { case $(property MainPID) in 0 | "$1") return 1 ;; esac; }
daemon_is_not() { case $(daemon) in "" | 0 | "$1") return 1 ;; esac; }
kill_everything() { systemctl kill --kill-whom=all --signal=KILL "$unit"; }

# copy NAME BYTES: a writer of small blocks, in the background; `writer` is its process.
copy() {
    name=$1 size=$2
    dd if=$source of="$mount/$name" bs=2000 count=$((size / 2000)) 2>/test/dd.log &
    writer=$!
}
# How far the writer has read its source; nothing of the mount is asked for that.
writer_is_at() {
    { read -r _ position <"/proc/$writer/fdinfo/0"; } 2>/dev/null && [ "$position" -ge "$1" ]
}
await_writer_at() { within 30 writer_is_at "$1" || die "the writer of $name does not come to byte $1"; }
still_writing() { writer_is_at 0 || die "the writer of $name ended too early"; }
copy_is_good() {
    wait "$writer" || die "dd ended with status $?: $(cat /test/dd.log)"
    cmp -n "$size" $source "$mount/$name" || die "$name has other bytes"
    [ "$(stat -c %s "$mount/$name")" -eq "$size" ] || die "$name has another size"
}

starts() {
    [ ! -e $mount ] || die "$mount is there already"
    systemctl start $unit || die "systemctl start: status $?"
    [ "$(property Type) $(property ActiveState)" = "notify active" ] || die "not active after start"
    is_mounted || die "not mounted after start"
    echo hello >$mount/hello && [ "$(cat $mount/hello)" = hello ] || die "the mount does not work"
    [ "$(property NFileDescriptorStore)" -eq 3 ] || die "systemd does not keep three descriptors"
}

# Each second one is killed once more as soon as it is back, in the middle of its start.
outlives_everything() {
    before=$(property NRestarts)
    copy killed 200000000
    for round in 1 2 3 4 5 6 7 8; do
        await_writer_at $((round * 20000000))
        within 10 main_pid_is_not none || die "systemd does not start it again"
        old=$(property MainPID)
        kill_everything
        within 10 main_pid_is_not "$old" || die "systemd does not start it again"
        [ $((round % 2)) -eq 1 ] || kill_everything
    done
    still_writing
    copy_is_good
    [ $(($(property NRestarts) - before)) -eq 12 ] || die "restarts: $before to $(property NRestarts)"
    [ "$(property NFileDescriptorStore)" -eq 3 ] || die "systemd does not keep three descriptors"
}

outlives_its_keeper() {
    copy keeper 60000000
    await_writer_at 20000000
    old=$(property MainPID)
    kill -KILL "$old"
    within 10 main_pid_is_not "$old" || die "systemd does not start it again"
    within 10 is_active || die "not active again"
    still_writing
    copy_is_good
}

is_reloaded() {
    copy reloaded 60000000
    await_writer_at 20000000
    keeper=$(property MainPID) old=$(daemon)
    systemctl reload $unit || die "systemctl reload: status $?"
    within 10 daemon_is_not "$old" || die "no other daemon serves"
    still_writing
    copy_is_good
    [ "$(property MainPID)" -eq "$keeper" ] || die "it has another keeper"
    [ "$(property ActiveState)" = active ] || die "not active after reload"
}

goes_on_with_a_broken_file() {
    settings=/etc/tusfs/rig.toml
    cp $settings /test/rig.toml
    copy broken 60000000
    await_writer_at 20000000
    echo 'sttle = 1' >>$settings
    old=$(property MainPID)
    kill_everything
    within 10 main_pid_is_not "$old" || die "systemd does not start it again"
    within 10 is_active || die "not active again"
    still_writing
    copy_is_good
    if systemctl reload $unit 2>/dev/null; then die "systemctl reload says that it is done"; fi
    cp /test/rig.toml $settings
    systemctl reload $unit || die "systemctl reload: status $?"
    [ "$(property NFileDescriptorStore)" -eq 3 ] || die "systemd does not keep three descriptors"
}

is_not_reloaded_with_a_broken_file() {
    settings=/etc/tusfs/rig.toml
    cp $settings /test/rig.toml
    old=$(daemon)
    echo 'sttle = 1' >>$settings
    if systemctl reload $unit 2>/dev/null; then die "systemctl reload says that it is done"; fi
    cp /test/rig.toml $settings
    journalctl --no-pager -u $unit -n 20 | grep -q sttle || die "the journal does not name the key"
    [ "$(daemon)" -eq "$old" ] || die "another daemon serves"
    [ "$(property ActiveState)" = active ] || die "not active after a reload that failed"
    [ "$(cat $mount/hello)" = hello ] || die "the mount does not work"
    systemctl reload $unit || die "systemctl reload: status $?"
}

is_watched() {
    watched=tusfs@watched.service
    systemctl start $watched || die "systemctl start: status $?"
    started=$(now)
    kill -STOP "$(daemon /mnt/watched)"
    dd if=$source of=/mnt/watched/waited bs=1000000 count=8 2>/test/dd.log &
    writer=$!
    restarted() { [ "$(property NRestarts $watched)" -ge 1 ]; }
    within 20 restarted || die "nobody noticed that the daemon had stopped"
    wait "$writer" || die "dd ended with status $?: $(cat /test/dd.log)"
    echo " ($(($(now) - started)) s)" >/test/figure
    cmp -n 8000000 $source /mnt/watched/waited || die "what waited has other bytes"
    systemctl stop $watched || die "systemctl stop: status $?"
}

stops_and_starts() {
    systemctl stop $unit || die "systemctl stop: status $?"
    ! is_mounted || die "still mounted after stop"
    is_over || die "after stop: $(property ActiveState) $(property Job)"
    [ "$(property NFileDescriptorStore)" -eq 0 ] || die "systemd still keeps descriptors"
    [ "$(property Result)" = success ] || die "the stop ended with $(property Result)"
    systemctl start $unit || die "systemctl start: status $?"
    is_mounted || die "not mounted after start"
    cmp -n 60000000 $source $mount/reloaded || die "what was there before has other bytes"
}

# Whatever the kill hits, a part of the way to the end or nothing: it stays stopped.
stays_stopped() {
    for _ in 1 2 3; do
        systemctl stop --no-block $unit
        kill_everything 2>/dev/null || true # there may be nothing left to kill
        within 10 is_over || die "after stop and kill: $(property ActiveState) $(property Job)"
        [ "$(property MainPID)" -eq 0 ] || die "it runs again"
        [ "$(property NFileDescriptorStore)" -eq 0 ] || die "systemd still keeps descriptors"
        systemctl start $unit || die "systemctl start: status $?"
        cmp -n 60000000 $source $mount/reloaded || die "what was there before has other bytes"
    done
}

# An orderly end is one, also where systemd did not ask for it.
ends_with() { # COMMAND…
    "$@" || die "$1: status $?"
    within 10 is_over || die "after $1: $(property ActiveState) $(property Job)"
    ! is_mounted || die "mounted after $1"
    [ "$(property ActiveState)" = inactive ] || die "after $1: $(property Result)"
    systemctl start $unit || die "systemctl start: status $?"
}
ends_orderly() {
    ends_with umount $mount
    ends_with kill -TERM "$(property MainPID)"
    ends_with kill -TERM "$(daemon)"
    cmp -n 60000000 $source $mount/reloaded || die "what was there before has other bytes"
}

# fails_as UNIT WORDS: it has failed, is counted, and is not started again.
fails_as() {
    ! systemctl start "$1" 2>/dev/null || die "$1 started"
    [ "$(property ActiveState "$1")" = failed ] || die "$1 is $(property ActiveState "$1"), not failed"
    [ "$(property ExecMainStatus "$1")" -eq 2 ] || die "$1 ended with $(property ExecMainStatus "$1")"
    [ "$(property NRestarts "$1")" -eq 0 ] || die "$1 was started again"
    systemctl --failed --plain --no-legend | grep -q "^$1 " || die "systemctl --failed does not count $1"
    journalctl --no-pager -u "$1" | grep -q "$2" || die "the journal does not say \"$2\""
    systemctl reset-failed "$1"
}
fails_when_wrong() {
    rig=/etc/tusfs/rig.toml
    sed 's/^settle/setle/; s#/mnt/rig#/mnt/typo#' $rig >/etc/tusfs/typo.toml
    fails_as tusfs@typo.service "typo.toml:4: unknown setting 'setle'"
    mkdir -p /mnt/full/of-something
    sed 's#/mnt/rig#/mnt/full#; s#state/rig#state/full#' $rig >/etc/tusfs/full.toml
    fails_as tusfs@full.service "is not empty"
    sed 's#1080/files#1080/others#; s#/mnt/rig#/mnt/moved#; s#state/rig#state/watched#' $rig >/etc/tusfs/moved.toml
    fails_as tusfs@moved.service "holds uploads to"
    fails_as tusfs@none.service "none.toml"
}

# With no more than the unit allows: another user's writer that is killed, and one that fails behind its close.
sees_writers() {
    ! tusfsctl status $mount | grep -q 'is not seen' || die "it does not see how writers end"
    mkdir -p $mount/open && chmod 777 $mount/open
    nobody="setpriv --reuid 65534 --regid 65534 --clear-groups"
    $nobody sh -c "exec dd if=$source of=$mount/open/cut bs=2000 2>/dev/null" &
    writer=$!
    name=cut
    await_writer_at 2000000
    kill -KILL $writer
    is_interrupted() { tusfsctl list $mount/open/$1 | grep -q '^interrupted'; }
    within 10 is_interrupted cut || die "$(tusfsctl list $mount/open/cut)"
    tusfsctl discard $mount/open/cut || die "tusfsctl discard: status $?"
    # Who has closed its file, and ends with an error while that settles.
    $nobody perl -e "open F, '>', '$mount/open/late'; print F 'x'; close F; exit 3" || true
    within 10 is_interrupted late || die "$(tusfsctl list $mount/open/late)"
    tusfsctl discard $mount/open/late || die "tusfsctl discard: status $?"
}

# With a drop-in that gives it a user of its own, which is not root.
runs_as_a_user() {
    own=tusfs@own.service
    mkdir -p /mnt/own && chown games /mnt/own
    # As udev makes it; that of the machine outside is left alone.
    if [ "$(stat -c %a /dev/fuse)" != 666 ]; then
        umount -l /dev/fuse && rm -f /dev/fuse && mknod -m 666 /dev/fuse c 10 229 || die "no /dev/fuse for everybody"
    fi
    # The drop-ins that are installed, for another user and place.
    examples=$(dirname "$(dirname "$(command -v tusfs)")")/share/doc/tusfs/examples
    mkdir -p /etc/systemd/system/$own.d
    sed 's/^User=rig/User=games/; s/tusfs-rig/tusfs-own/g' "$examples/own-user.conf" >/etc/systemd/system/$own.d/user.conf
    # What the kernel is old enough to need, and may be left out of a newer one.
    case $(uname -r) in [1-5].* | 6.[0-9].* | 6.1[0-4].*) ;; *) cp "$examples/linux-6.15.conf" /etc/systemd/system/$own.d ;; esac
    systemctl daemon-reload
    systemctl start $own || die "systemctl start: status $?"
    [ "$(ps -o user= -p "$(property MainPID $own)")" = games ] || die "it is of another user"
    as_games() { setpriv --reuid games --regid games --clear-groups env TUSFS_RUNTIME_DIR=/run/tusfs-own "$@"; }
    as_games tusfsctl status /mnt/own >/test/own || die "tusfsctl status: status $?"
    ! grep -q 'is not seen' /test/own || die "it does not see how writers end"
    tusfsctl status /mnt/own >/dev/null || die "root does not find it: status $?"
    head -c 3000 $source >/mnt/own/whole
    # Root's writer is another user's here.
    perl -e "open F, '>', '/mnt/own/late'; print F 'x'; close F; exit 3" || true
    is_seen() { as_games tusfsctl list /mnt/own/late | grep -q '^interrupted'; }
    within 10 is_seen || die "$(as_games tusfsctl list /mnt/own/late)"
    old=$(property MainPID $own)
    systemctl kill --kill-whom=all --signal=KILL $own
    main_pid_of_own_is_new() { case $(property MainPID $own) in 0 | "$old") return 1 ;; esac; }
    within 10 main_pid_of_own_is_new || die "systemd does not start it again"
    cmp -n 3000 $source /mnt/own/whole || die "the mount is not what it was"
    systemctl stop $own || die "systemctl stop: status $?"
    ! grep -q ' /mnt/own ' /proc/self/mounts || die "it is mounted still"
}

# answer_as_a_locked_server FILE: it writes down who asks, and lets nobody in.
answer_as_a_locked_server() {
    perl -MIO::Socket::INET -e '
        $listening = IO::Socket::INET->new(LocalAddr => "127.0.0.1:1081", Listen => 9, ReuseAddr => 1) or die;
        while ($client = $listening->accept) {
            while (defined($line = <$client>) && $line ne "\r\n") {
                next unless $line =~ /^Authorization: (.*?)\r/;
                open $said, ">>", $ARGV[0] or die; print $said "$1\n"; close $said;
            }
            print $client "HTTP/1.1 401 Unauthorized\r\nTus-Resumable: 1.0.0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            close $client;
        }' "$1" &
    locked=$!
}

# By a service of its own, whose LoadCredential= is read at each of its starts.
reads_credentials_again() {
    secret=tusfs@secret.service
    mkdir -p /mnt/secret /etc/systemd/system/tusfs@secret.service.d /etc/systemd/system/tusfs-credentials@secret.service.d
    chown games /mnt/secret
    sed 's#/mnt/own#/mnt/secret#; s#lib/tusfs-own#lib/tusfs-secret#; s#1080#1081#' /etc/tusfs/own.toml >/etc/tusfs/secret.toml
    echo 'token-file = "token"' >>/etc/tusfs/secret.toml
    sed 's/tusfs-own/tusfs-secret/' /etc/systemd/system/tusfs@own.service.d/user.conf >/etc/systemd/system/tusfs@secret.service.d/user.conf
    cat >>/etc/systemd/system/tusfs@secret.service.d/user.conf <<END
Environment=CREDENTIALS_DIRECTORY=/run/tusfs-credentials/secret
ExecReload=
ExecReload=+systemctl start tusfs-credentials@secret.service
ExecReload=$(command -v tusfsctl) reload --keeper \$MAINPID
[Unit]
Requires=tusfs-credentials@secret.service
After=tusfs-credentials@secret.service
END
    printf '[Service]\nUser=games\nLoadCredential=token:/etc/tusfs/secret.token\n' \
        >/etc/systemd/system/tusfs-credentials@secret.service.d/load.conf
    (umask 077 && echo first >/etc/tusfs/secret.token)
    systemctl daemon-reload
    answer_as_a_locked_server /test/asked
    trap 'kill $locked' EXIT
    systemctl start $secret || die "systemctl start: status $?"
    within 10 grep -qx 'Bearer first' /test/asked || die "it asked with $(cat /test/asked)"
    keeper=$(property MainPID $secret)
    echo second >/etc/tusfs/secret.token
    systemctl reload $secret || die "systemctl reload: status $?"
    within 20 grep -qx 'Bearer second' /test/asked || die "it asked with $(cat /test/asked)"
    [ "$(property MainPID $secret)" -eq "$keeper" ] || die "it has another keeper"
    [ "$(stat -c '%U %a' /run/tusfs-credentials/secret/token)" = "games 400" ] || die "others may read the credential"
    rm /etc/tusfs/secret.token
    ! systemctl reload $secret 2>/dev/null || die "a reload without its credential says that it is done"
    [ "$(property ActiveState $secret)" = active ] || die "the mount has ended"
    systemctl stop $secret || die "systemctl stop: status $?"
}

# In the systemd of a user who is not root, with fusermount3.
is_a_users_own() {
    useradd --create-home rigger || die "no such user can be made"
    number=$(id -u rigger)
    systemctl start "user@$number.service" || die "the user has no systemd: $(systemctl status "user@$number.service")"
    as_rigger() { setpriv --reuid rigger --regid rigger --clear-groups env HOME=/home/rigger XDG_RUNTIME_DIR="/run/user/$number" "$@"; }
    as_rigger mkdir -p /home/rigger/.config/tusfs
    sed 's#/mnt/rig#/home/rigger/mount#; /^state-dir\|^allow-other/d' /etc/tusfs/rig.toml >/home/rigger/.config/tusfs/mine.toml
    as_rigger systemctl --user start tusfs@mine.service || die "$(journalctl -n 20 _UID="$number")"
    users() { as_rigger systemctl --user show --value -p "$1" tusfs@mine.service; }
    as_rigger dd if=$source of=/home/rigger/mount/copy bs=2000 count=10000 2>/test/dd.log &
    copying=$!
    old=$(users MainPID)
    as_rigger systemctl --user kill --kill-whom=all --signal=KILL tusfs@mine.service
    is_there_again() { case $(users MainPID) in 0 | "$old") return 1 ;; esac; }
    within 10 is_there_again || die "systemd does not start it again"
    wait $copying || die "dd ended with status $?: $(cat /test/dd.log)"
    as_rigger cmp -n 20000000 $source /home/rigger/mount/copy || die "the copy has other bytes"
    as_rigger tusfsctl wait --timeout 60 /home/rigger/mount || die "tusfsctl wait: status $?"
    as_rigger systemctl --user reload tusfs@mine.service || die "systemctl reload: status $?"
    tusfsctl status /home/rigger/mount >/dev/null || die "root does not find it: status $?"
    as_rigger systemctl --user stop tusfs@mine.service || die "systemctl stop: status $?"
    ! grep -q ' /home/rigger/mount ' /proc/self/mounts || die "it is mounted still"
    # And without a directory for the sockets, so that they are below /tmp.
    as_rigger env -u XDG_RUNTIME_DIR tusfs --config /home/rigger/.config/tusfs/mine.toml || die "tusfs: status $?"
    [ -e "/tmp/tusfs-$number" ] || die "the sockets are elsewhere"
    tusfsctl status /home/rigger/mount >/dev/null || die "root does not find what is below /tmp: status $?"
    umount /home/rigger/mount || die "umount: status $?"
    systemctl stop "user@$number.service"
}

# What may mend itself, here a state directory that another one uses, is tried again less and less often, until it does.
is_put_off() {
    late=tusfs@late.service
    sed 's#/mnt/rig#/mnt/late#' /etc/tusfs/rig.toml >/etc/tusfs/late.toml
    ! systemctl start $late 2>/dev/null || die "$late started"
    is_put_off_longer() { property StatusText $late | grep -q 'next try is in 400 ms'; }
    within 60 is_put_off_longer || die "it says $(property StatusText $late)"
    [ "$(property NRestarts $late)" -le 3 ] || die "it was started $(property NRestarts $late) times"
    systemctl stop $late || die "systemctl stop: status $?"
    [ "$(property ActiveState $late)" = inactive ] || die "after stop: $(property ActiveState $late)"
}

# As mount units, without a service: the first by hand, the second by whoever looks first.
is_in_fstab() {
    systemctl start mnt-fstab.mount || die "systemctl start: status $?"
    grep -q ' /mnt/fstab fuse.tusfs ' /proc/self/mounts || die "it is not mounted"
    head -c 3000 $source >/mnt/fstab/by-fstab
    tusfsctl wait --timeout 60 /mnt/fstab || die "tusfsctl wait: status $?"
    systemctl stop mnt-fstab.mount || die "systemctl stop: status $?"
    ! grep -q ' /mnt/fstab ' /proc/self/mounts || die "it is mounted still"
    [ "$(property Result mnt-fstab.mount)" = success ] || die "the mount ended with $(property Result mnt-fstab.mount)"
    if [ "$(property ActiveState mnt-auto.automount)" = active ]; then
        timeout 30 sh -c "head -c 3000 $source >/mnt/auto/by-automount" || die "nothing can be written there"
        grep -q ' /mnt/auto fuse.tusfs ' /proc/self/mounts || die "the automount has mounted nothing"
        tusfsctl wait --timeout 60 /mnt/auto || die "tusfsctl wait: status $?"
    else
        echo " (without automount: there is no /dev/autofs)" >/test/figure
    fi
}

# recorder_grows FILE: whoever writes to it goes on.
recorder_grows() {
    size=$(stat -c %s "$1")
    has_grown() { [ "$(stat -c %s "$1")" -gt "$size" ]; }
    within 10 has_grown "$1" || die "$1 does not grow any more"
}
kill_and_await() { # UNIT
    old=$(property MainPID "$1")
    systemctl kill --kill-whom=all --signal=KILL "$1"
    is_new() { case $(property MainPID "$1") in 0 | "$old") return 1 ;; esac; }
    within 10 is_new "$1" || die "systemd does not start $1 again"
    is_up() { [ "$(property ActiveState "$1")" = active ]; }
    within 10 is_up "$1" || die "$1 is $(property ActiveState "$1")"
}

# A unit with RequiresMountsFor=: the mount comes before it, and goes after it.
is_ordered() {
    ordered=tusfs@ordered.service take=/mnt/ordered/take.bin
    systemctl start recorder.service || die "systemctl start: status $?"
    grep -q ' /mnt/ordered fuse.tusfs ' /proc/self/mounts || die "the mount is not there"
    [ "$(property ActiveState mnt-ordered.mount)" = active ] || die "the mount unit is not active"
    recorder=$(property MainPID recorder.service)
    within 10 test -s $take || die "nothing is recorded"
    for _ in 1 2 3; do
        kill_and_await $ordered
        recorder_grows $take
    done
    [ "$(property MainPID recorder.service)" = "$recorder" ] || die "the recorder was started again"
    systemctl stop mnt-ordered.mount || die "systemctl stop: status $?"
    [ "$(property ActiveState recorder.service)" = inactive ] || die "the recorder is not ended"
    [ "$(property Result recorder.service)" = success ] || die "it ended with $(property Result recorder.service)"
    [ "$(cat /test/recorders/ordered)" = "ended in the mount" ] || die "it ended in the bare directory"
    is_stopped() { [ "$(property ActiveState $ordered)" = inactive ]; }
    within 10 is_stopped || die "the service is $(property ActiveState $ordered)"
    [ -z "$(ls -A /mnt/ordered)" ] || die "something was written into the bare directory"
    systemctl start mnt-ordered.mount || die "systemctl start: status $?"
    tusfsctl wait --timeout 60 /mnt/ordered || die "tusfsctl wait: status $?"
    [ "$(tail -c 3 $take)" = end ] || die "the recording is not whole"
}

# booted_systemd_test.sh looks at how that ended.
is_recorded_to_the_end() {
    rm /test/recorders/ordered
    systemctl start recorder.service || die "systemctl start: status $?"
    within 10 test -s /mnt/ordered/take.bin || die "nothing is recorded"
}

# A recorder, not root's, that was there first: what it wrote and goes on to write is taken in.
is_imported() {
    early=tusfs@early.service
    mkdir -p /mnt/early/card && chown -R games: /mnt/early
    head -c 5000000 $source >/mnt/early/card/whole && chown games: /mnt/early/card/whole
    sum=$(sha256sum </mnt/early/card/whole)
    systemctl start early-recorder.service || die "systemctl start: status $?"
    within 10 test -s /mnt/early/take.bin || die "nothing is recorded"
    systemctl start $early || die "systemctl start: status $?"
    import_says() { tusfsctl status /mnt/early | grep -q "import .*$1"; }
    within 20 import_says '1 file (5000000 B) taken in, 1 waits' || die "$(tusfsctl status /mnt/early)"
    [ "$(sha256sum </mnt/early/card/whole)" = "$sum" ] || die "the file has other bytes"
    [ "$(stat -c %U /mnt/early/card/whole)" = games ] || die "the file has another owner"
    [ "$(property NFileDescriptorStore $early)" -eq 4 ] || die "systemd does not keep four descriptors"
    kill_and_await $early
    within 20 import_says '0 files (0 B) taken in, 1 waits' || die "$(tusfsctl status /mnt/early)"
    [ "$(property ActiveState early-recorder.service)" = active ] || die "the recorder has ended"
    systemctl stop early-recorder.service || die "systemctl stop: status $?"
    [ "$(cat /test/recorders/early)" = "ended in the mount" ] || die "the mount is not there"
    within 20 import_says '1 file .* taken in$' || die "$(tusfsctl status /mnt/early)"
    [ "$(tail -c 3 /mnt/early/take.bin)" = end ] || die "the recording was cut"
    tusfsctl wait --timeout 60 /mnt/early || die "tusfsctl wait: status $?"
    [ "$(property NFileDescriptorStore $early)" -eq 3 ] || die "systemd still keeps what lies beneath"
    sum=$(sha256sum </mnt/early/take.bin)
    sha256sum /test/store/* | grep -q "^${sum%% *} " || die "the server has no such recording"
    systemctl stop $early || die "systemctl stop: status $?"
    [ -z "$(ls -A /mnt/early)" ] || die "something is left beneath: $(ls -A /mnt/early)"
}

has_arrived() {
    tusfsctl wait --timeout 60 $mount || die "tusfsctl wait: status $?"
    is_told() { property StatusText | grep -q '^safe: .* 0 B to go)$'; }
    within 10 is_told || die "systemctl status says $(property StatusText)"
    sha256sum /test/store/* | cut -d ' ' -f 1 >/test/arrived
    for name in killed keeper reloaded hello; do
        sum=$(sha256sum <$mount/$name | cut -d ' ' -f 1)
        grep -qx "$sum" /test/arrived || die "the server has no file like $name"
    done
    [ "$(head -c 60000000 $source | sha256sum)" = "$(sha256sum <$mount/reloaded)" ] ||
        die "reloaded has other bytes"
}

# What was installed without a package manager goes, for its unit would come first.
are_there_packages() {
    [ -e /test/new.deb ] || { echo "  no packages were made: not tried"; return 1; }
}

is_upgraded_by_a_package() {
    are_there_packages || return 0
    systemctl stop $unit
    rm -f "$(property FragmentPath)" "$(command -v tusfs)" "$(command -v tusfsctl)"
    hash -r
    dpkg -i /test/old.deb >/test/dpkg.log 2>&1 || die "$(cat /test/dpkg.log)"
    systemctl start $unit || die "systemctl start: status $?"
    copy upgraded 60000000
    await_writer_at 20000000
    keeper=$(property MainPID) old=$(daemon)
    dpkg -i /test/new.deb >/test/dpkg.log 2>&1 || die "$(cat /test/dpkg.log)"
    within 10 daemon_is_not "$old" || die "no other daemon serves"
    still_writing
    copy_is_good
    [ "$(property MainPID)" -eq "$keeper" ] || die "it has another keeper"
}

is_removed_and_purged() {
    are_there_packages || return 0
    mkdir -p /var/lib/tusfs/other && echo bytes >/var/lib/tusfs/other/unsent
    dpkg -r tusfs >/test/dpkg.log 2>&1 || die "$(cat /test/dpkg.log)"
    within 30 is_over || die "the service goes on"
    ! is_mounted || die "the mount is still there"
    dpkg -P tusfs >/test/dpkg.log 2>&1 || die "$(cat /test/dpkg.log)"
    [ "$(cat /var/lib/tusfs/other/unsent)" = bytes ] || die "the purge took what was not uploaded"
    dpkg -i /test/new.deb >/test/dpkg.log 2>&1 || die "$(cat /test/dpkg.log)"
    systemctl start $unit || die "systemctl start: status $?"
    [ "$(cat $mount/hello)" = hello ] || die "what was there is not there any more"
}

echo booted
point "the service starts, is ready and its mount is live" starts
point "a copy outlives 12 kills of every process of the service" outlives_everything
point "a copy outlives the keeper, whose service comes back" outlives_its_keeper
point "a copy outlives systemctl reload, which starts another daemon" is_reloaded
point "a copy outlives a kill of every process of a service whose file is broken" goes_on_with_a_broken_file
point "systemctl reload with a broken file fails and changes nothing" is_not_reloaded_with_a_broken_file
point "a daemon that stands still is replaced, and what waited is written" is_watched
point "systemctl stop unmounts and leaves no descriptor, start mounts again" stops_and_starts
point "killed while it stops, it stays stopped, and can be started again" stays_stopped
point "umount and SIGTERM end the service, and it can be started again" ends_orderly
point "with what the unit allows it sees how writers of other users end" sees_writers
point "it runs as another user than root, with the capabilities of the unit" runs_as_a_user
point "a reload reads a credential again that systemd has loaded" reads_credentials_again
point "a user's own systemd runs it" is_a_users_own
point "a wrong configuration fails the unit, once" fails_when_wrong
point "what may mend itself is tried again after longer and longer pauses" is_put_off
point "a line of fstab mounts it, and its unit ends it" is_in_fstab
point "a unit that needs the place comes behind the mount, and ends before it" is_ordered
point "what a recorder wrote before the mount came up is taken in, and nothing of it is cut" is_imported
point "a copy outlives an upgrade by a package, whose program goes on with it" is_upgraded_by_a_package
point "everything arrived at the server" has_arrived
point "a package that is removed unmounts, and one that is purged leaves what is not uploaded" is_removed_and_purged
point "a recorder writes while the machine ends" is_recorded_to_the_end
echo "done $failed"

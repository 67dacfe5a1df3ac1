# tusd 2.10 with hooks, as an ingest uses them: before the creation one gives each upload an id of its own
# and may refuse the file, before the end one looks at the whole file for two seconds, after it one
# moves the file to the place that its metadata says. From then on the server does not know it.
missing() {
    if ! [ -x "$servers/tusd" ]; then
        echo "tests/run.sh has not built tusd"
    elif ! command -v jq >/dev/null; then
        echo "there is no jq"
    fi
}
prepare() {
    mkdir "$work/hooks"
    cat >"$work/hooks/pre-create" <<'HOOK'
#!/bin/sh
jq '.Event.Upload | if .MetaData.filename == "refused.bin" then
      { RejectUpload: true, HTTPResponse: { StatusCode: 422, Body: "no such clips here" } }
    else
      { ChangeFileInfo: { ID: ("clip-" + .MetaData.tusfsId), MetaData: (.MetaData + { seen: "yes" }) } }
    end'
HOOK
    cat >"$work/hooks/pre-finish" <<'HOOK'
#!/bin/sh
[ "$TUS_SIZE" -lt 1048576 ] || sleep 2
HOOK
    cat >"$work/hooks/post-finish" <<HOOK
#!/bin/sh
path=\$(jq -r .Event.Upload.MetaData.relativePath)
mkdir -p "\$(dirname "$store/ingested/\$path")"
rm "$store/\$TUS_ID.info"
mv --no-clobber "$store/\$TUS_ID" "$store/ingested/\$path"
HOOK
    chmod +x "$work"/hooks/*
}
run_server() {
    exec "$servers/tusd" -host 127.0.0.1 -port "$server_port" -upload-dir "$store" -hooks-dir "$work/hooks" \
        -hooks-enabled-events pre-create,pre-finish,post-finish
}
# The last hook is not waited for by the server's answer.
held() {
    for _ in $(seq 100); do
        [ "$(find "$store" -maxdepth 1 -name '*.info')" ] || break
        sleep 0.1
    done
    (cd "$store" && find . -type f ! -name '*.info' ! -name '*.lock' -exec sha256sum {} + |
        sed 's|  \./ingested/| |; s|  \./| |')
}
# A refused file fails alone, with the words of the hook.
more() {
    head -c 100000 /dev/urandom >"$work/mnt/refused.bin"
    "$tusfsctl" wait --timeout 20 "$work/mnt/refused.bin" >/dev/null && fail "what the hook refuses is uploaded"
    "$tusfsctl" list "$work/mnt" | grep '^failed .*refused.bin.*no such clips here' ||
        fail "the refused file does not say what the hook says"
    rm "$work/mnt/refused.bin"
}

# Sourced by the servers on S3: moto, which keeps everything in memory. It is not killed with the server.
. "$here/python.sh"
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1
export S3_ENDPOINT="http://127.0.0.1:$helper_port"
s3_pid=
missing_s3() { missing_module moto.server; }
# A request is taken for its owner's when it is signed, by whomever.
s3() {
    path=$1
    shift
    curl --silent --fail --max-time 60 "$@" "$S3_ENDPOINT/$path" \
        -H 'Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request'
}
prepare() {
    "$python" -m moto.server -H 127.0.0.1 -p "$helper_port" >"$work/s3.log" 2>&1 &
    s3_pid=$!
    until_up "$helper_port" "$s3_pid"
    s3 uploads -X PUT --output /dev/null || fail "no bucket can be made"
}
wipe() {
    s3 moto-api/reset -X POST --output /dev/null && s3 uploads -X PUT --output /dev/null ||
        fail "the bucket cannot be emptied"
}
# An upload that is not complete has parts, and no object; it counts as another file.
held() {
    s3 'uploads?list-type=2' | tr '<' '\n' | sed -n 's/^Key>//p' | while read -r key; do
        case $key in *.info | *.part) continue ;; esac
        s3 "uploads/$key" --dump-header "$work/head" | sha256sum | cut -c 1-64 | tr '\n' ' '
        path=$(tr -d '\r' <"$work/head" | sed -n 's/^x-amz-meta-relativepath: //Ip')
        echo "${path:--}"
    done
    s3 'uploads?uploads' | tr '<' '\n' | sed -n 's/^UploadId>/unfinished /p'
}
clean_up_server() { [ -z "$s3_pid" ] || kill -9 "$s3_pid" 2>/dev/null || true; }

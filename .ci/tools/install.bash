# Sourced by .ci/generate and .ci/lint-proto: puts the pinned tools on the PATH, in the folder $tools, built if they are missing.
# The folder is named after the pins, so that another version never meets an old binary.
export GOFLAGS="${GOFLAGS:-} -buildvcs=false"
pins=$(cat .ci/tools/go.mod .ci/tools/go.sum | cksum | cut -d ' ' -f 1)
tools=${KERF_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/kerf}/tools-$(go env GOVERSION)-$pins
if [[ ! -x $tools/buf || ! -x $tools/protoc-gen-go ]]; then
	mkdir -p "$tools"
	go -C .ci/tools build -mod=readonly -o "$tools/" github.com/bufbuild/buf/cmd/buf google.golang.org/protobuf/cmd/protoc-gen-go
fi
export PATH="$tools:$PATH"

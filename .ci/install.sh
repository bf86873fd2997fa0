#!/usr/bin/env bash
# Installs a released policyc for the steps that follow: the archive is compared with its published SHA-256.
#   POLICYC_VERSION     the release, such as v0.1.0
#   POLICYC_REPOSITORY  where it is released (policyc/policyc)
set -euo pipefail

case ${POLICYC_VERSION:-} in
    v[0-9]*.[0-9]*.[0-9]*) ;;
    *) echo "policyc: \`version\` has to name a release, such as v0.1.0, where the action is not used by one" >&2 && exit 2 ;;
esac
case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) target=x86_64-unknown-linux-musl ;;
    Linux-aarch64) target=aarch64-unknown-linux-musl ;;
    Darwin-arm64) target=aarch64-apple-darwin ;;
    *) echo "policyc: no binary is released for $(uname -s) on $(uname -m); use \`cargo install\` and the input \`binary\`" >&2 && exit 2 ;;
esac

name=policyc-$target
folder=$(mktemp -d)
cd -- "$folder"
gh release download "$POLICYC_VERSION" --repo "${POLICYC_REPOSITORY:-policyc/policyc}" --pattern "$name.tar.gz" --pattern "$name.tar.gz.sha256"
if command -v sha256sum >/dev/null; then sha256sum --check "$name.tar.gz.sha256"; else shasum --algorithm 256 --check "$name.tar.gz.sha256"; fi
tar -xzf "$name.tar.gz" policyc
echo "$folder" >>"$GITHUB_PATH"

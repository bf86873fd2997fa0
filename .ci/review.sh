#!/usr/bin/env bash
# Says what a change does to access: compares every policy and template that differs from the base revision, derives the
# stack again, and keeps one comment on the pull request (GitHub) or merge request (GitLab). Without a host it prints.
#
# Configured by the environment only; nothing from the repository is ever run or expanded:
#   POLICYC           the binary (policyc)
#   POLICYC_BASE      the revision to compare with (GitLab: the merge request's; else origin/main)
#   POLICYC_PATHS     git pathspecs, one per line (policies, cfn, without certificates and recordings)
#   POLICYC_STACK     the stack to derive again (the only one of policyc.toml; `none` derives nothing)
#   POLICYC_BASELINE  what a new policy file is compared with (nothing: all it grants is gained)
#   POLICYC_FAIL_ON   what ends with exit code 1: words of `gained drift proof` (all three)
#   POLICYC_SARIF     a file to write SARIF into (none)
#   POLICYC_COMMENT   `false` prints instead of commenting
#   POLICYC_AUTHOR    whose comment is updated (github-actions[bot]; GitLab: the owner of the token)
#
# Exit codes: 0 done; 1 something of POLICYC_FAIL_ON; 2 configuration; 3 something could not be compared or derived.
set -euo pipefail
export LC_ALL=C

# GitHub takes 65,536 characters: the table has at most 100 lines of 250, and `policyc check` may say 12,000.
readonly ROOM=25000 # for what is said of each file
readonly ROWS=100   # files in the table
readonly NAME=200   # of a file's name

stop() { printf 'policyc review: %s\n' "$2" >&2; exit "$1"; }

# Names come from whoever opened the pull request: what is no ordinary character is shown as `?`.
plain() { printf '%s' "${1:0:NAME}" | tr -c 'A-Za-z0-9._/@+=,-' '?'; }

# What a tool said, as a code block that it cannot leave.
block() { printf '```%s\n' "$2"; head -c 20000 -- "$1" | tr '`' "'"; printf '\n```\n'; }

configure() {
    policyc=$(command -v -- "${POLICYC:-policyc}") || stop 2 'policyc is not installed'
    case $policyc in /*) ;; *) policyc=$PWD/$policyc ;; esac
    cd -- "$(git rev-parse --show-toplevel)"
    fail_on=" ${POLICYC_FAIL_ON-gained drift proof} "
    local word
    for word in $fail_on; do
        case $word in gained | drift | proof) ;; *) stop 2 "\`$(plain "$word")\` is none of gained, drift, proof" ;; esac
    done
    configure_stack
    baseline=${POLICYC_BASELINE:-}
    [ ! -f "$baseline" ] || baseline=$(realpath -- "$baseline")
    local wanted=${POLICYC_BASE:-${CI_MERGE_REQUEST_DIFF_BASE_SHA:-origin/main}}
    base=$(git rev-parse --verify --quiet --end-of-options "$wanted^{commit}") || stop 2 "the revision \`$(plain "$wanted")\` is not here; fetch it (fetch-depth: 0)"
    base=$(git merge-base -- "$base" HEAD) || stop 2 'the histories have nothing in common here; fetch them (fetch-depth: 0)'
    head=$(git rev-parse HEAD)
    local paths=${POLICYC_PATHS:-$'policies\ncfn\n:(exclude,glob)**/*.certificate.json\n:(exclude)policies/index.json\n:(exclude)cfn/recording'}
    mapfile -t pathspecs < <(printf '%s\n' "$paths" | sed '/^[[:space:]]*$/d')
    marker="<!-- policyc review of ${stack:-none} -->"
}

configure_stack() {
    stack=${POLICYC_STACK:-}
    if [ -z "$stack" ] && [ -f policyc.toml ]; then
        local names
        mapfile -t names < <(sed -nE 's/^\[+stack\.([A-Za-z0-9_-]+)[].].*/\1/p' policyc.toml | sort -u)
        [ "${#names[@]}" -eq 1 ] || stop 2 "policyc.toml configures ${#names[@]} stacks; name one in POLICYC_STACK, or none"
        stack=${names[0]}
    fi
    [ "$stack" != none ] || stack=
    case $stack in *[!A-Za-z0-9_-]* | -*) stop 2 'a stack has a name of letters, digits, _ and -' ;; esac
}

# One side of a comparison: the file at a revision, or what stands for it where it does not exist. Links and submodules
# are not followed: what they lead to is not what is reviewed.
side() { # revision path target
    local mode='' object=''
    read -r mode _ object _ < <(git ls-tree "$1" -- "$2") || true
    case $mode in
        100644 | 100755) git cat-file blob "$object" >"$3" ;;
        '') printf '{"Version": "2012-10-17", "Statement": []}\n' >"$3" ;;
        *) return 1 ;;
    esac
}

# Compares one file. Says gained, narrowed, same or failed; the text is left in `diff.md`.
compare() { # path folder
    local name old new code=0 back=0
    name=$(plain "${1##*/}")
    mkdir -p "$2/before" "$2/after"
    old=before/$name new=after/$name
    if ! side "$base" "$1" "$2/$old" || ! side HEAD "$1" "$2/$new"; then
        echo 'a link or a submodule' >"$2/errors" && echo failed && return
    fi
    # The certificates beside them tell whether the activity, the facts or policyc changed.
    case $name in
        *.json)
            local beside=${1%.json}.certificate.json own=${name%.json}.certificate.json
            side "$base" "$beside" "$2/before/$own" && side HEAD "$beside" "$2/after/$own" || rm -f -- "$2/before/$own" "$2/after/$own"
            ;;
    esac
    if [ -z "$(git ls-tree "$base" -- "$1")" ] && [ -n "$baseline" ] && [ "${1##*.}" = json ]; then
        old=$baseline
    fi
    (cd -- "$2" && "$policyc" diff "$old" "$new" --format markdown) >"$2/diff.md" 2>"$2/errors" || code=$?
    case $code in
        0)
            # Nothing gained. The other way round tells whether anything went.
            (cd -- "$2" && "$policyc" diff "$new" "$old" --format markdown) >/dev/null 2>"$2/errors" || back=$?
            case $back in 0) echo same ;; 1) echo narrowed ;; *) echo failed ;; esac
            ;;
        1) echo gained ;;
        *) echo failed ;;
    esac
}

compare_all() {
    local path n=0
    gained=0 failed=0 narrowed=0
    : >"$work/list"
    while IFS= read -r -d '' path; do
        n=$((n + 1))
        case $(compare "$path" "$work/$n") in
            gained) gained=$((gained + 1)) && printf '1 %s %s access gained\n' "$n" "$(plain "$path")" ;;
            failed) failed=$((failed + 1)) && printf '0 %s %s not compared\n' "$n" "$(plain "$path")" ;;
            narrowed) narrowed=$((narrowed + 1)) && printf '2 %s %s narrowed\n' "$n" "$(plain "$path")" ;;
            *) printf '3 %s %s same access\n' "$n" "$(plain "$path")" ;;
        esac >>"$work/list"
    done <"$work/changed"
    files=$n
    sort -o "$work/list" "$work/list" # what matters most comes first
}

# Derives the stack again. Files that differ are printed on stdout, what does not hold on stderr.
check() {
    drift= proof= broken=
    [ -n "$stack" ] || return 0
    local code=0
    "$policyc" check --stack "$stack" >"$work/check.diff" 2>"$work/check.txt" || code=$?
    if [ -n "${POLICYC_SARIF:-}" ]; then
        if "$policyc" report --stack "$stack" --format sarif -o "$POLICYC_SARIF" 2>>"$work/check.txt"; then
            [ -z "${GITHUB_OUTPUT:-}" ] || printf 'sarif=%s\n' "$POLICYC_SARIF" >>"$GITHUB_OUTPUT"
        else
            broken=1
        fi
    fi
    [ "$code" -ne 0 ] || return 0
    [ "$code" -eq 1 ] || { broken=1; return 0; }
    [ ! -s "$work/check.diff" ] || drift=1
    if grep -qE '^error\[|\.certificate\.json: ' "$work/check.txt" || [ -z "$drift" ]; then proof=1; fi
}

headline() {
    if [ "$failed" -gt 0 ] || [ -n "$broken" ]; then
        echo 'something could not be judged'
    elif [ "$gained" -gt 0 ]; then
        echo 'access was gained'
    elif [ -n "$drift$proof" ]; then
        echo 'what is committed is not what is derived'
    elif [ "$narrowed" -gt 0 ]; then
        echo 'access was narrowed, nothing was gained'
    else
        echo 'access stays as it was'
    fi
}

details() { # the text of each file, as long as there is room
    local n path words used=0 size
    : >"$work/left"
    while read -r _ n path words; do
        [ "$words" != 'same access' ] || continue
        { [ "$words" = 'not compared' ] && block "$work/$n/errors" text || cat -- "$work/$n/diff.md"; } >"$work/part"
        size=$(($(wc -c <"$work/part") + ${#path} + 100))
        if [ $((used + size)) -gt "$ROOM" ]; then cat -- "$work/part" >>"$work/left" && continue; fi
        used=$((used + size))
        printf '\n<details><summary><code>%s</code>: %s</summary>\n\n' "$path" "$words"
        cat -- "$work/part"
        printf '\n</details>\n'
    done <"$work/list"
    [ ! -s "$work/left" ] || printf '\nThere is no room here for all of them; the log of the job has the rest.\n'
}

comment() {
    printf '%s\n### policyc: %s\n\n' "$marker" "$(headline)"
    if [ "$files" -eq 0 ]; then
        printf 'No policy and no template differs from `%s`.\n' "${base:0:12}"
    else
        printf '| file | access |\n|---|---|\n'
        sed -n "1,${ROWS}p" "$work/list" | sed -E 's/^[0-9] [0-9]+ ([^ ]+) (.*)$/| `\1` | \2 |/'
        [ "$files" -le "$ROWS" ] || printf '\nand %s more.\n' $((files - ROWS))
        details
    fi
    [ -z "$stack" ] || committed
    printf '\n<sub>`%s` compared with `%s`</sub>\n' "${head:0:12}" "${base:0:12}"
}

committed() {
    local what="stack \`$stack\`"
    if [ -n "$broken" ]; then
        printf '\n**Not judged:** %s could not be derived.\n' "$what"
    elif [ -z "$drift$proof" ]; then
        printf '\n**As derived, and proved:** %s.\n' "$what" && return
    fi
    [ -z "$drift" ] || printf '\n**Drift:** files of %s differ from what is derived. `policyc derive --stack %s` writes them.\n' "$what" "$stack"
    [ -z "$proof" ] || printf '\n**Not proved:** a certificate of %s does not hold, or an error forbids the policy.\n' "$what"
    printf '\n<details><summary>What <code>policyc check</code> says</summary>\n\n'
    head -c 4000 "$work/check.txt" >"$work/part" && block "$work/part" text
    [ -z "$drift" ] || { head -c 8000 "$work/check.diff" >"$work/part" && block "$work/part" diff; }
    printf '\n</details>\n'
}

# GitHub. Only a comment of one's own is updated: whoever else writes the marker could change the text afterwards.
post_github() {
    local number=${POLICYC_PULL_REQUEST:-} id
    case $number in '' | *[!0-9]*) return 0 ;; esac
    local comments="repos/$GITHUB_REPOSITORY/issues/$number/comments"
    export POLICYC_MARKER=$marker POLICYC_AUTHOR=${POLICYC_AUTHOR:-github-actions[bot]}
    id=$(gh api --paginate "$comments?per_page=100" --jq '.[] | select(.user.login == env.POLICYC_AUTHOR and (.body | startswith(env.POLICYC_MARKER))) | .id') || return 1
    id=${id%%$'\n'*}
    if [ -n "$id" ]; then
        gh api --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$id" -F "body=@$work/comment.md" --silent
    elif [ -n "$speaks" ]; then
        gh api --method POST "$comments" -F "body=@$work/comment.md" --silent
    fi
}

# GitLab. The token goes through a file, so no list of processes shows it.
post_gitlab() {
    [ -n "${CI_MERGE_REQUEST_IID:-}" ] || return 0
    [ -n "${POLICYC_GITLAB_TOKEN:-}" ] || { echo 'POLICYC_GITLAB_TOKEN is not set' >&2; return 1; }
    (umask 077 && printf 'PRIVATE-TOKEN: %s\n' "$POLICYC_GITLAB_TOKEN" >"$work/token")
    local notes="$CI_API_V4_URL/projects/$CI_PROJECT_ID/merge_requests/$CI_MERGE_REQUEST_IID/notes" me id='' page=1
    local call=(curl --silent --show-error --fail --header "@$work/token" --output "$work/answer")
    "${call[@]}" "$CI_API_V4_URL/user" || return 1
    me=$(jq -r .username "$work/answer")
    while [ -z "$id" ]; do
        "${call[@]}" "$notes?per_page=100&page=$page" || return 1
        id=$(jq -r --arg me "$me" --arg marker "$marker" \
            'map(select(.author.username == $me and (.body | startswith($marker))) | .id) | first // empty' "$work/answer")
        [ "$(jq length "$work/answer")" -eq 100 ] || break
        page=$((page + 1))
    done
    if [ -n "$id" ]; then
        "${call[@]}" --request PUT "$notes/$id" --data-urlencode "body@$work/comment.md"
    elif [ -n "$speaks" ]; then
        "${call[@]}" --request POST "$notes" --data-urlencode "body@$work/comment.md"
    fi
}

publish() {
    speaks=
    if [ "$files" -gt 0 ] || [ -n "$drift$proof$broken" ]; then speaks=1; fi
    [ -z "${GITHUB_STEP_SUMMARY:-}" ] || cat -- "$work/comment.md" >>"$GITHUB_STEP_SUMMARY"
    # What is printed holds names from logs; a line of it must not become a workflow command.
    local token
    token=policyc-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    [ -z "${GITHUB_ACTIONS:-}" ] || printf '::stop-commands::%s\n' "$token"
    cat -- "$work/comment.md"
    local n
    while read -r _ n _; do cat -- "$work/$n/errors"; done <"$work/list"
    [ ! -f "$work/left" ] || cat -- "$work/left"
    [ ! -f "$work/check.txt" ] || cat -- "$work/check.txt"
    [ -z "${GITHUB_ACTIONS:-}" ] || printf '::%s::\n' "$token"
    [ "${POLICYC_COMMENT:-true}" = true ] || return 0
    if [ -n "${GITHUB_ACTIONS:-}" ]; then
        post_github || echo '::warning::policyc could not comment; a pull request from a fork has a token that only reads' >&2
    elif [ -n "${GITLAB_CI:-}" ]; then
        post_gitlab || echo 'policyc could not comment; does the token have the scope `api`?' >&2
    fi
}

fails_on() { case $fail_on in *" $1 "*) return 0 ;; *) return 1 ;; esac; }

judge() {
    [ "$failed" -eq 0 ] && [ -z "$broken" ] || exit 3
    if [ "$gained" -gt 0 ] && fails_on gained; then exit 1; fi
    if [ -n "$drift" ] && fails_on drift; then exit 1; fi
    if [ -n "$proof" ] && fails_on proof; then exit 1; fi
    exit 0
}

main() {
    work=$(mktemp -d)
    trap 'rm -rf -- "$work"' EXIT
    configure
    git diff --name-only -z --no-renames "$base" HEAD -- "${pathspecs[@]}" >"$work/changed"
    compare_all
    check
    comment >"$work/comment.md"
    publish
    judge
}

main

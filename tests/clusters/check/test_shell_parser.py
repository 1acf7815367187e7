"""Shell commands are parsed into the programs that a shell would run."""

from harness.clusters.check.shell_parser import parse_programs


def list_words(command):
    return [call.words for call in parse_programs(command)]


def test_parse_programs_finds_programs_behind_wrappers_in_subshells_and_in_quotes():
    line = "(setsid nohup /opt/bin/mlflow server -p 1 > log 2>&1 < /dev/null &); a && b || c | d; bash -c 'e f; g'"
    assert list_words(line) == [
        ["mlflow", "server", "-p", "1", "2"],
        *([name] for name in "abcd"),
        ["bash", "-c", "e f; g"],
        ["e", "f"],
        ["g"],
    ]


def test_exported_variables_reach_later_programs_only():
    before, start, last = parse_programs("A=1 first; B=2; export C=$B D='x y'; E=3 ray start --head; last")
    assert (before.env, start.env, last.env) == (
        {"A": "1"},
        {"C": "2", "D": "x y", "E": "3"},
        {"C": "2", "D": "x y"},
    )


def test_command_substitution_is_replaced_by_a_placeholder():
    (call,) = parse_programs("export URI=http://$(hostname -I | cut -d' ' -f1):5000; ray start")
    assert call.env == {"URI": "http://$_:5000"}


def test_options_are_read_in_every_form():
    (call,) = parse_programs("ray start --head --port=6379 --address $RAY_HEAD_IP:6379 -v")
    assert call.options == {"--head": "", "--port": "6379", "--address": "$RAY_HEAD_IP:6379", "-v": ""}


def test_lines_are_separate_commands_and_an_unclosed_quote_is_no_crash():
    assert list_words("a 1\nb \\\n 2") == [["a", "1"], ["b", "2"]]
    assert list_words("echo 'never closed") == [["echo", "'never", "closed"]]

"""Commands read as a shell would run them."""

from harness.clusters.check.shell_parser import parse_programs


def programs(command):
    return [run.words for run in parse_programs(command)]


def test_programs_are_found_behind_wrappers_in_subshells_and_in_quotes():
    line = "(setsid nohup /opt/bin/mlflow server -p 1 > log 2>&1 < /dev/null &); a && b || c | d; bash -c 'e f; g'"
    assert programs(line) == [
        ["mlflow", "server", "-p", "1", "2"],
        *([name] for name in "abcd"),
        ["bash", "-c", "e f; g"],
        ["e", "f"],
        ["g"],
    ]


def test_what_is_exported_reaches_what_follows_and_nothing_before():
    before, start, last = parse_programs("A=1 first; B=2; export C=$B D='x y'; E=3 ray start --head; last")
    assert (before.env, start.env, last.env) == (
        {"A": "1"},
        {"C": "2", "D": "x y", "E": "3"},
        {"C": "2", "D": "x y"},
    )


def test_a_command_inside_stands_for_its_output():
    (run,) = parse_programs("export URI=http://$(hostname -I | cut -d' ' -f1):5000; ray start")
    assert run.env == {"URI": "http://$_:5000"}


def test_options_in_every_form():
    (run,) = parse_programs("ray start --head --port=6379 --address $RAY_HEAD_IP:6379 -v")
    assert run.options == {"--head": "", "--port": "6379", "--address": "$RAY_HEAD_IP:6379", "-v": ""}


def test_lines_are_commands_and_a_missing_quote_is_no_crash():
    assert programs("a 1\nb \\\n 2") == [["a", "1"], ["b", "2"]]
    assert programs("echo 'never closed") == [["echo", "'never", "closed"]]

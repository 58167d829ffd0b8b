"""Erlang expressions run inside the private broker, from one process that stays: rabbitmqctl takes
seconds of processor time each.
"""

import secrets
import subprocess

from support.process import as_user
from support.rabbitmq import ERL_ARGUMENTS, RabbitMQ

# Reads one expression a line and answers each with one line, "ok" or what went wrong.
_LOOP = r"""
Node = list_to_atom(os:getenv("PROBE_NODE")),
Run = fun(Text) ->
    {ok, Tokens, _} = erl_scan:string(Text),
    {ok, Expressions} = erl_parse:parse_exprs(Tokens),
    case rpc:call(Node, erl_eval, exprs, [Expressions, []], 20000) of
        {value, _, _} -> "ok";
        Other -> io_lib:format("~0p", [Other])
    end
end,
Loop = fun Loop() ->
    case io:get_line("") of
        eof -> halt(0);
        Line ->
            io:format("~s~n", [try Run(Line)
                               catch Class:What -> io_lib:format("~0p", [{Class, What}]) end]),
            Loop()
    end
end,
Loop().
"""


class BrokerControl:
    def __init__(self, broker: RabbitMQ):
        self._popen = subprocess.Popen(
            as_user(broker.user, ["erl", "-noshell", "-hidden", "-sname",
                                  f"chaos-{secrets.token_hex(4)}@localhost",
                                  *ERL_ARGUMENTS.split(), "-eval", _LOOP]),
            env=broker.environment(), cwd=broker.directory, text=True, bufsize=1,
            start_new_session=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def run(self, expressions: str) -> str:
        """"ok", or what went wrong."""
        assert self._popen.stdin is not None and self._popen.stdout is not None
        self._popen.stdin.write(expressions.replace("\n", " ") + "\n")
        return self._popen.stdout.readline().strip()

    def close(self) -> None:
        self._popen.communicate()

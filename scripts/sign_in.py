"""What `make token` runs: sign somebody in, and print their ID token, for `Authorization: Bearer`.

    python scripts/sign_in.py --user ada                                          on the laptop: somebody known there
    python scripts/sign_in.py --user mia --role restaurant --restaurant r-mia     a new name, who is made first
    python scripts/sign_in.py [--profile NAME] [--region NAME] [--stack NAME]     on AWS, in your browser

On the laptop the form is filled in; on AWS you fill it in yourself, in the browser that opens. Only the token is
printed to standard output.
"""

import argparse
import sys
import webbrowser
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlsplit

import httpx
from laptop import NotSignedIn, Stack
from laptop.code_flow import CALLBACK, Attempt
from laptop.people import somebody
from operations import deployed
from operations.trouble import TROUBLE, plain
from tiffin.callers import Role


def _redirect(attempt: Attempt) -> str:
    """Wait for the browser to come back, and return with what. Asked for anything else, there is nothing here."""
    brought: list[str] = []

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            here = urlsplit(self.path).path == urlsplit(attempt.callback).path
            ours = here and f"state={attempt.state}" in urlsplit(self.path).query.split("&")
            if ours:
                brought.append(self.path)
            self.send_response(200 if ours else 404)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.end_headers()
            self.wfile.write(b"Signed in. You may close this page." if ours else b"Nothing here.")

        def log_message(self, *_: object) -> None:
            """Say nothing: the path has the code in it."""

    where = urlsplit(attempt.callback)
    with HTTPServer((str(where.hostname), int(where.port or 80)), Listener) as server:
        while not brought:
            server.handle_request()
    return brought[0]


def in_a_browser(stack: deployed.Deployed, callback: str = CALLBACK) -> str:
    """Let a person sign in, in the browser of this machine.

    Args:
        stack: where.
        callback: where the pages send the browser back to.

    Returns:
        The ID token.

    Raises:
        NotSignedIn: nothing can listen there, or the pages took something amiss.
    """
    attempt = Attempt(stack.outputs["SignInUrl"], stack.outputs["UserPoolClientId"], callback)
    print(f"Sign in here, in a browser on this machine:\n{attempt.address}", file=sys.stderr)
    webbrowser.open(attempt.address)
    try:
        redirect = _redirect(attempt)
    except OSError as error:
        raise NotSignedIn(f"nothing can listen on {callback}: {error.strerror}") from error
    with httpx.Client() as http:
        return str(attempt.tokens(redirect, http)["id_token"])


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Sign somebody in, and print their ID token.")
    parser.add_argument("--user", help="on the laptop: who")
    parser.add_argument("--role", choices=list(Role), help="of a new name: as what")
    parser.add_argument("--restaurant", metavar="ID", help="of a new name with the role restaurant: which")
    deployed.add_options(parser)
    options = parser.parse_args(arguments)
    try:
        if deployed.on_aws(options):
            token = in_a_browser(deployed.reach(options))
        elif options.user:
            token = Stack.attach().people.token(somebody(options.user, options.role, options.restaurant))
        else:
            raise NotSignedIn("say who, make token USER=ada, or where on AWS, make token REGION=eu-central-1")
    except (*TROUBLE, httpx.HTTPError, ValueError) as error:
        print(f"\N{BALLOT X} {plain(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(token)
    return 0


if __name__ == "__main__":
    sys.exit(main())

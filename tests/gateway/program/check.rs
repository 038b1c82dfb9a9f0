//! `check` and `serve` on configurations: errors name their place, and never show a token.

mod connections;
mod mistakes;

use self::mistakes::MISTAKES;
use super::{File, ran, roster, stderr, stdout};

/// A part of every token; it must never be printed.
const SECRET: &str = "s3cr3t-marker";

const GOOD: &str = "
[server]
listen = \"127.0.0.1:0\"

[accounts.intercom]
[accounts.intercom.options]
version = \"1.4\"

[accounts.ada]
base_url = \"https://handle.ada.support/api\"

[accounts.usertour]
token_env = \"ANOTHER_VARIABLE\"

[accounts.digitalchalk]
enabled = false
";

/// Runs `check`, and returns its exit code and its output.
async fn check(name: &str, text: &str) -> (Option<i32>, String) {
    let file = File::holding(name, text);
    let mut program = roster(&["check", "--config", file.path()]);
    for variable in [
        "ROSTER_INTERCOM_TOKEN",
        "ROSTER_ADA_TOKEN",
        "ROSTER_DIGITALCHALK_TOKEN",
        "ANOTHER_VARIABLE",
    ] {
        program.env(variable, SECRET);
    }
    let output = ran(program).await;
    let all = stdout(&output) + &stderr(&output);
    assert!(!all.contains(SECRET), "{name} shows a token: {all}");
    (output.status.code(), all)
}

#[tokio::test]
async fn a_good_configuration_is_fine() {
    let (code, says) = check("good", GOOD).await;

    assert_eq!(code, Some(0), "{says}");
    assert!(says.contains("nothing is wrong"), "{says}");
}

#[tokio::test]
async fn an_old_name_of_a_setting_is_refused_with_the_new_name() {
    let breaker = "[accounts.intercom.breaker]\n";
    for (table, old, new) in [
        ("[server]\n", "notice_seconds", "shutdown_delay_seconds"),
        (breaker, "share", "failure_rate"),
        (breaker, "longest_seconds", "max_cooldown_seconds"),
    ] {
        let text = format!(
            "{table}{old} = 1\n{}",
            GOOD.replace("[server]\nlisten = \"127.0.0.1:0\"\n", "")
        );

        let (code, says) = check(old, &text).await;

        assert_eq!(code, Some(1), "{says}");
        assert!(says.contains("line 2: "), "{says}");
        let expected = format!("`{old}` is now called `{new}`: rename it");
        assert!(says.contains(&expected), "{says}");
    }
}

#[tokio::test]
async fn an_error_names_its_place_and_what_is_expected() {
    for (name, text, words) in MISTAKES {
        let (code, says) = check(name, text).await;
        assert_eq!(code, Some(1), "{name}: {says}");
        assert!(says.contains("roster: "), "{name}: {says}");
        for word in *words {
            assert!(says.contains(word), "{name} does not say {word}: {says}");
        }
    }
}

#[tokio::test]
async fn errors_are_explained_in_the_words_of_toml() {
    let text = "[server]\nlisten = 7\nadmin_listen = true\nhosts = \"a\"\ncors_origins = [1]\nshutdown_delay_seconds = -1\n\
                [limits]\npage = \"many\"\ndeadline_seconds = \"long\"\ncalls = 1.5\n\
                [cache]\nseconds = true\n[shared]\nurl = 7\n[log]\naudit_file = 7\n\
                [accounts.intercom]\nenabled = \"yes\"\ntoken_file = 7\nbudget = 7\nbreaker = 7\noptions = 7\n\
                [accounts.ada]\nbudget = [{ calls = 1 }, 7]\n[accounts.usertour]\ncache = { operations = { list = true } }\n";

    let (code, says) = check("words", text).await;

    assert_eq!(code, Some(1));
    let lines = [
        "line 2: server.listen",
        "line 3: server.admin_listen",
        "line 4: server.hosts",
        "line 5: server.cors_origins",
        "line 6: server.shutdown_delay_seconds",
        "line 8: limits.page",
        "line 9: limits.deadline_seconds",
        "line 10: limits.calls",
        "line 12: cache.seconds",
        "line 14: shared.url",
        "line 16: log.audit_file",
        "line 18: accounts.intercom.enabled",
        "line 19: accounts.intercom.token_file",
        "line 20: accounts.intercom.budget",
        "line 21: accounts.intercom.breaker",
        "line 22: accounts.intercom.options",
        "line 24: accounts.ada.budget",
        "line 26: accounts.usertour.cache",
    ];
    for line in lines {
        let said: Vec<_> = says.lines().filter(|said| said.contains(line)).collect();
        let [said] = said
            .try_into()
            .unwrap_or_else(|said: Vec<_>| panic!("{line}: {said:?} of {says}"));
        assert!(said.contains("expected"), "{said}");
    }
    let rust = [
        "invalid type",
        "invalid value",
        "struct",
        "Option",
        "sequence",
        "a map",
        "usize",
        "u16",
        "u32",
        "u64",
        "f64",
        "i64",
        "boolean",
        "variant",
        "socket",
        "Vec",
        "path string",
        "floating",
        "TOML parse",
    ];
    for word in rust {
        assert!(!says.contains(word), "{word}: {says}");
    }
}

#[tokio::test]
async fn a_secret_in_the_wrong_place_is_not_shown() {
    for (name, line) in [
        ("secret-key", format!("token = \"{SECRET}\"")),
        ("secret-table", format!("token = {{ {SECRET} = 1 }}")),
        ("secret-type", format!("token_env = [\"{SECRET}\"]")),
        ("secret-number", format!("timeout_seconds = \"{SECRET}\"")),
        ("secret-variable", format!("token_env = \"{SECRET}\"")),
        ("secret-syntax", format!("token = {SECRET}")),
    ] {
        let (code, says) = check(name, &format!("[accounts.intercom]\n{line}\n")).await;
        assert_eq!(code, Some(1), "{name}");
        assert!(says.contains("accounts.intercom"), "{name}: {says}");
    }
}

#[tokio::test]
async fn serve_warns_of_settings_that_cannot_work_and_starts() {
    let world = crate::world::World::with(1, |_| {}).await;
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nshutdown_delay_seconds = 0\n[accounts.ada]\nbase_url = \"http://{}/ada/api\"\ntimeout_seconds = 99.0\n",
        world.sandbox
    );
    let file = File::holding("serve-warns", &text);
    let mut program = roster(&["serve", "--config", file.path(), "--log", "json"]);
    program.env("ROSTER_ADA_TOKEN", SECRET);
    let gateway =
        crate::operator::Gateway::of(program, file, std::collections::BTreeMap::new()).await;

    let warns = |line: &serde_json::Value| {
        line["level"] == "WARN"
            && line
                .to_string()
                .contains("accounts.ada.timeout_seconds is 99")
    };
    gateway.line(warns).await;
}

#[tokio::test]
async fn errors_of_form_and_of_meaning_are_named_at_once() {
    let text = "[server]\nlisten = \"localhost:8080\"\nlissten = 1\n[limits]\npage = 0\ncalls = \"all\"\n\
                [provider.salesforce]\nenabled = true\n[accounts.ada]\nattempts = 0\n[accounts.intercom]\ntokn_env = \"X\"\n\
                [sever]\nlisten = 1\n[cache]\nseconds = -1.0\n";

    let (code, says) = check("forms", text).await;

    assert_eq!(code, Some(1));
    for words in [
        "line 2: server.listen",
        "line 3: server.lissten",
        "limits.page is 0",
        "line 6: limits.calls",
        "line 7: provider.salesforce",
        "accounts.ada.attempts is 0",
        "accounts.ada.base_url is missing",
        "line 12: accounts.intercom.tokn_env",
        "line 13: sever",
        "cache.seconds is -1",
    ] {
        let said = says.lines().filter(|line| line.contains(words)).count();
        assert_eq!(said, 1, "{words}: {says}");
    }
    assert_eq!(says.trim().lines().count(), 10, "{says}");
}

#[tokio::test]
async fn all_errors_are_named_at_once() {
    let text = "[server]\nlisten = \"0.0.0.0:0\"\ncors_origins = [\"app.example\", \"b.example\"]\n\
                [limits]\npage = 0\n[accounts.ada]\nattempts = 0\n[accounts.intercom]\nconcurrency = 0\n";

    let (code, says) = check("many", text).await;

    assert_eq!(code, Some(1));
    for words in [
        "server.listen is 0.0.0.0:0",
        "server.cors_origins: \"app.example\"",
        "server.cors_origins: \"b.example\"",
        "limits.page",
        "accounts.ada.base_url",
        "accounts.ada.attempts",
        "accounts.intercom.concurrency",
    ] {
        assert!(says.contains(words), "{words} is not in {says}");
    }
}

#[tokio::test]
async fn a_token_that_cannot_be_sent_is_named_and_not_shown() {
    let file = File::holding("odd-token", "[accounts.intercom]\n");
    for (token, words) in [
        (format!("{SECRET}\nmore"), "character that no header"),
        (format!("{SECRET}\u{7f}"), "character that no header"),
        (format!("Bearer {SECRET}"), "begins with `Bearer `"),
        (format!("bearer {SECRET}"), "begins with `Bearer `"),
        (" ".to_owned(), "the token is empty"),
    ] {
        let mut program = roster(&["check", "--config", file.path()]);
        program.env("ROSTER_INTERCOM_TOKEN", token);

        let output = ran(program).await;

        assert_eq!(output.status.code(), Some(1));
        let all = stdout(&output) + &stderr(&output);
        assert!(all.contains("accounts.intercom: the token"), "{all}");
        assert!(all.contains(words) && !all.contains(SECRET), "{all}");
    }
}

#[tokio::test]
async fn plain_http_to_another_host_must_be_allowed() {
    let address = "[accounts.intercom]\nbase_url = \"http://sandbox:8081/intercom\"\n";

    let (refused, says) = check("http-unasked", address).await;
    assert!(says.contains("allow_http = true"), "{says}");
    let (allowed, _) = check("http-asked", &format!("{address}allow_http = true\n")).await;

    assert_eq!((refused, allowed), (Some(1), Some(0)));
}

#[tokio::test]
async fn a_missing_file_is_named() {
    for command in ["check", "serve"] {
        let output = ran(roster(&[command, "--config", "/nowhere/roster.toml"])).await;
        assert_eq!(output.status.code(), Some(1));
        assert!(
            stderr(&output).contains("/nowhere/roster.toml"),
            "{}",
            stderr(&output)
        );
    }
}

#[tokio::test]
async fn serve_refuses_an_address_that_others_can_reach() {
    let file = File::holding("serve-open", "");

    let output = ran(roster(&[
        "serve",
        "--config",
        file.path(),
        "--listen",
        "0.0.0.0:0",
    ]))
    .await;

    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("authenticat"),
        "{}",
        stderr(&output)
    );
}

/// A named pipe, at which a reader and a writer block; deleted with the value.
struct Pipe(String);

impl Pipe {
    async fn make(name: &str) -> Self {
        let name = format!("roster-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let path = path.to_str().expect("UTF-8").to_owned();
        let made = tokio::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.await.expect("mkfifo").success());
        Self(path)
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn a_pipe_is_no_file_for_a_token_or_for_the_audit_log() {
    let pipe = Pipe::make("pipe").await;
    let token = format!("[accounts.intercom]\ntoken_file = \"{}\"\n", pipe.0);
    let audit = format!("[log]\naudit_file = \"{}\"\n[accounts.intercom]\n", pipe.0);

    for (name, text, place) in [
        ("pipe-token", token, "accounts.intercom.token_file"),
        ("pipe-audit", audit, "log.audit_file"),
    ] {
        let (code, says) = check(name, &text).await;

        assert_eq!(code, Some(1), "{says}");
        assert!(says.contains(place), "{says}");
        assert!(says.contains("no regular file"), "{says}");
    }
    let device = "[log]\naudit_file = \"/dev/stderr\"\n[accounts.intercom]\n";
    assert_eq!(check("device-audit", device).await.0, Some(0));
}

#[tokio::test]
async fn a_file_that_is_no_text_is_explained_in_plain_words() {
    let file = File::holding("not-utf-8", "");
    std::fs::write(file.path(), b"[limits]\npage = \xff\n").expect("a file");
    let token = File::holding("token-not-utf-8", "");
    std::fs::write(token.path(), b"t\xff").expect("a file");
    let config = format!("[accounts.intercom]\ntoken_file = \"{}\"\n", token.path());
    let with_token = File::holding("with-token-not-utf-8", &config);

    for path in [file.path(), with_token.path()] {
        let output = ran(roster(&["check", "--config", path])).await;

        let says = stdout(&output) + &stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{says}");
        assert!(says.contains("is not UTF-8"), "{says}");
        assert!(!says.contains("stream"), "{says}");
    }
}

//! Configurations with a mistake each, and what `check` must say of it.

/// A configuration's name here, its text, and what the error must contain.
pub(super) type Mistake = (&'static str, &'static str, &'static [&'static str]);

pub(super) const MISTAKES: &[Mistake] = &[
    (
        "unknown-key",
        "[server]\nlisten = \"127.0.0.1:0\"\nlissten = 1\n",
        &["line 3", "lissten", "listen"],
    ),
    (
        "unknown-section",
        "[sever]\nlisten = 1\n",
        &["sever", "server"],
    ),
    (
        "unknown-provider",
        "[provider.salesforce]\n",
        &["line 1", "salesforce", "intercom"],
    ),
    (
        "unknown-provider-key",
        "[accounts.intercom]\ntokn_env = \"A\"\n",
        &["line 2", "tokn_env", "token_env"],
    ),
    (
        "token-in-file",
        "[accounts.intercom]\ntoken = \"x\"\n",
        &["line 2", "token", "token_env"],
    ),
    (
        "number-beyond-64-bits",
        "[limits]\npage = 99999999999999999999\n",
        &[
            "line 2: limits.page: the number 99999999999999999999 is out of range: expected a whole number that is not negative\n",
        ],
    ),
    ("no-toml", "[server\n", &["line 1"]),
    (
        "no-value",
        "[accounts.intercom]\ntoken =\n",
        &["line 2", "token", "has no value", "token_env", "token_file"],
    ),
    (
        "no-value-of-another-key",
        "[limits]\npage =\n",
        &["line 2", "limits.page", "has no value"],
    ),
    (
        "empty-variable",
        "[accounts.intercom]\ntoken_env = \"\"\n",
        &[
            "accounts.intercom.token_env",
            "the name of an environment variable",
        ],
    ),
    (
        "empty-file",
        "[accounts.intercom]\ntoken_file = \"\"\n",
        &["accounts.intercom.token_file is empty"],
    ),
    ("empty", "", &["no account", "[accounts.intercom]"]),
    (
        "all-disabled",
        "[accounts.intercom]\nenabled = false\n",
        &["no account", "enabled"],
    ),
    (
        "name-and-port",
        "[server]\nlisten = \"localhost:8080\"\nadmin_listen = \"localhost\"\n",
        &[
            "line 2",
            "server.listen",
            "\"localhost:8080\"",
            "127.0.0.1:8080",
            "line 3",
            "server.admin_listen",
        ],
    ),
    (
        "base-url-without-scheme",
        "[accounts.intercom]\nbase_url = \"localhost:8080\"\n",
        &[
            "accounts.intercom.base_url",
            "\"localhost:8080\"",
            "http://localhost:8080",
        ],
    ),
    (
        "shared-without-scheme",
        "[shared]\nurl = \"localhost:6379\"\n",
        &["shared.url", "redis://"],
    ),
    (
        "timeout-past-deadline",
        "[limits]\ndeadline_seconds = 10.0\n[accounts.intercom]\ntimeout_seconds = 30.0\n",
        &[
            "accounts.intercom.timeout_seconds is 30",
            "limits.deadline_seconds",
            "10",
        ],
    ),
    (
        "wrong-type",
        "[limits]\npage = \"many\"\n",
        &["line 2", "page"],
    ),
    ("bad-listen", "[server]\nlisten = \"here\"\n", &["line 2"]),
    (
        "bad-breaker",
        "[accounts.intercom.breaker]\nfailures = 0\nfailure_rate = 2\nmax_cooldown_seconds = 1\nwindow_seconds = 0\n",
        &[
            "accounts.intercom.breaker.failures is 0: expected 1 to 10000",
            "accounts.intercom.breaker.failure_rate is 2: expected 0.01 to 1",
            "accounts.intercom.breaker.max_cooldown_seconds is 1: expected no less than `cooldown_seconds`, 5",
            "accounts.intercom.breaker.window_seconds is 0: expected 0.01 to 600",
        ],
    ),
    (
        "missing-token",
        "[accounts.usertour]\n",
        &["accounts.usertour", "ROSTER_USERTOUR_TOKEN", "token_file"],
    ),
    (
        "missing-variable",
        "[accounts.intercom]\ntoken_env = \"NOWHERE\"\n",
        &["accounts.intercom", "NOWHERE"],
    ),
    (
        "missing-token-file",
        "[accounts.intercom]\ntoken_file = \"/nowhere/token\"\n",
        &["accounts.intercom.token_file", "/nowhere/token"],
    ),
    (
        "two-tokens",
        "[accounts.intercom]\ntoken_env = \"A\"\ntoken_file = \"x\"\n",
        &["exclude each other"],
    ),
    (
        "no-base-url",
        "[accounts.ada]\n",
        &["accounts.ada.base_url is missing"],
    ),
    (
        "bad-base-url",
        "[accounts.intercom]\nbase_url = \"not a url\"\n",
        &["accounts.intercom.base_url is not an address"],
    ),
    (
        "relative-base-url",
        "[accounts.intercom]\nbase_url = \"api.intercom.io\"\n",
        &["accounts.intercom.base_url"],
    ),
    (
        "plain-http",
        "[accounts.intercom]\nbase_url = \"http://api.intercom.io\"\n",
        &["accounts.intercom.base_url", "https://", "in the clear"],
    ),
    (
        "like-loopback",
        "[accounts.intercom]\nbase_url = \"http://127.0.0.1.evil.test\"\n",
        &["in the clear"],
    ),
    (
        "ftp",
        "[accounts.intercom]\nbase_url = \"ftp://api.intercom.io\"\n",
        &["https://"],
    ),
    (
        "credentials",
        "[accounts.intercom]\nbase_url = \"https://me:word@api.intercom.io\"\n",
        &["must not hold a user name or a password"],
    ),
    (
        "query",
        "[accounts.intercom]\nbase_url = \"https://api.intercom.io?a=1\"\n",
        &["no query"],
    ),
    (
        "open-door",
        "[server]\nlisten = \"0.0.0.0:8080\"\n",
        &["0.0.0.0:8080", "authenticat"],
    ),
    (
        "open-door-6",
        "[server]\nlisten = \"[::]:8080\"\n",
        &["authenticat"],
    ),
    (
        "version",
        "[accounts.intercom]\noptions = { version = \"9\" }\n",
        &["accounts.intercom.options", "\"9\"", "2.17"],
    ),
    (
        "region",
        "[accounts.intercom]\nregion = \"mars\"\n",
        &["accounts.intercom.region", "\"mars\"", "us, eu, au"],
    ),
    (
        "region-and-address",
        "[accounts.intercom]\nregion = \"eu\"\nbase_url = \"https://api.intercom.io\"\n",
        &["accounts.intercom.region", "base_url", "drop one"],
    ),
    (
        "region-of-none",
        "[accounts.usertour]\nregion = \"eu\"\n",
        &["accounts.usertour.region", "no regions"],
    ),
    (
        "unknown-option",
        "[accounts.intercom]\noptions = { verzion = \"1.1\" }\n",
        &["accounts.intercom.options", "verzion", "version"],
    ),
    (
        "attempts",
        "[accounts.intercom]\nattempts = 0\n",
        &["accounts.intercom.attempts is 0: expected 1 to 10"],
    ),
    (
        "timeout",
        "[accounts.intercom]\ntimeout_seconds = -1.0\n",
        &["accounts.intercom.timeout_seconds is -1"],
    ),
    (
        "concurrency",
        "[accounts.intercom]\nconcurrency = 0\n",
        &["accounts.intercom.concurrency is 0"],
    ),
    (
        "no-answer",
        "[accounts.intercom]\nmax_answer_bytes = 0\n",
        &["accounts.intercom.max_answer_bytes is 0: expected 1024"],
    ),
    (
        "placeholder",
        "[accounts.ada]\nbase_url = \"https://HANDLE.ada.support/api\"\n",
        &["accounts.ada.base_url", "in the place of HANDLE"],
    ),
    ("page", "[limits]\npage = 0\n", &["limits.page is 0"]),
    (
        "deadline",
        "[limits]\ndeadline_seconds = 0.0\n",
        &["limits.deadline_seconds is 0"],
    ),
];

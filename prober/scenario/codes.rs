//! Every code that a mistake may have, for `prober explain CODE`.

mod examples;

pub use examples::EXAMPLES;

/// A code of a mistake.
#[derive(Debug)]
pub struct Code {
    /// The stable code, `E` for errors and `W` for warnings.
    pub code: &'static str,
    /// What it is about, in a few words.
    pub title: &'static str,
    /// What it means and what to do.
    pub explanation: &'static str,
}

/// How a mistake looks in a file, and how it is mended.
#[derive(Debug)]
pub struct Example {
    /// The code.
    pub code: &'static str,
    /// The lines that are wrong.
    pub wrong: &'static str,
    /// What stands in their place.
    pub right: &'static str,
}

/// The example of a code; `None` if there is no such code.
pub fn example(code: &str) -> Option<&'static Example> {
    EXAMPLES.iter().find(|known| known.code.eq_ignore_ascii_case(code))
}

/// What a code means; `None` if there is no such code.
pub fn explain(code: &str) -> Option<&'static Code> {
    CODES.iter().find(|known| known.code.eq_ignore_ascii_case(code))
}

macro_rules! codes {
    ($($code:literal $title:literal $explanation:literal)*) => {
        /// Every code, sorted.
        pub const CODES: &[Code] = &[$(Code { code: $code, title: $title, explanation: $explanation }),*];
    };
}

codes! {
    "E001" "not UTF-8" "Files are UTF-8 text. Save the file as UTF-8."
    "E002" "file too large" "A file has at most 1 MiB. Split it into several files."
    "E003" "not YAML" "The file breaks YAML's rules at this place. Often an indentation or a missing quote."
    "E004" "nested too deep" "Lists and maps are nested at most 32 deep."
    "E005" "too many values" "A file stands for at most 20,000 values, those that aliases repeat included."
    "E006" "tag" "YAML tags such as !!str are not used. A value in quotes is a text."
    "E007" "duplicate key" "A map has each key once; in YAML the first would be lost without a word."
    "E008" "several documents" "A file holds one document. Put each scenario into a file of its own."
    "E009" "tab" "YAML forbids tabs in the indentation. Use spaces."
    "E010" "`${…}` without quotes inside braces" "Inside `{ }` and `[ ]` the braces of `${…}` begin a map. Put the value in quotes."
    "E011" "`{{ }}`" "Values are filled in with `${…}`. To YAML, `{{ }}` is a map inside a map."
    "E012" "`: ` in a text" "A text with a colon and a space in it must be in quotes, or it begins a map."
    "E013" "reserved first character" "A plain value cannot start with `@`, a backtick or `%`. Put it in quotes."
    "E014" "key that is no word" "Keys are single words. Merge keys (`<<`) are not part of YAML 1.2."
    "E015" "empty file" "There is nothing in the file."
    "E016" "unknown alias" "A value that starts with `*` is an alias for a value marked with `&`. A text must be in quotes."
    "E017" "number that begins with 0" "YAML 1.1 read 0123 as 83, YAML 1.2 reads 123, and a postcode or a number of an account is a text. Say which."
    "E018" "name without a value" "In YAML, `&` at the start of a value begins a name for it, to be used again with `*`. A text that begins so must be in quotes."
    "E019" "character that nobody sees" "A non-breaking space looks like a space and is none to YAML, so that a key is no key. Such letters come along when text is copied from a web page."
    "E020" "file that cannot be read" "A pattern names it, or it was named: a link to nowhere, a pipe, a file or a folder of another user, a name that is not UTF-8. The other files are checked all the same."
    "E021" "comma in a number" "Numbers have a point. Inside of `{ }` a comma begins the next key, so that 99,9% is 99, and a key 9% with no value."
    "E101" "missing key" "The key must be there; the help shows what to add."
    "E102" "unknown key" "The key has no meaning here. Unknown keys are errors, so that a typing mistake never turns into a check that is not made."
    "E103" "wrong type" "The value is of another type than the key needs."
    "E104" "out of range" "The value is of the right type, and too small, too large or empty."
    "E105" "unknown word" "The value is not one of the words that the key knows."
    "E106" "not supported yet" "The key belongs to the language, and this version does not read it yet. It is never silently ignored."
    "E107" "name" "Names are used in metrics, URLs and file names, and so have few letters."
    "E108" "duplicate name" "Scenarios have unique names in a project, and steps in a scenario: the name is the key of its history. So do objectives, which metrics and alerts know by nothing else."
    "E109" "duration without unit" "A duration is a number and one of ms, s, m, h, d: 300ms, 30s, 24h. A bare number could be anything."
    "E110" "unit of size" "A size is a number of bytes, or a number and one of B, kB, MB, GB, TB, KiB, MiB, GiB, TiB."
    "E111" "schedule" "A scenario has either `every` or `cron`; `timezone` belongs to `cron`."
    "E112" "timeout too long" "A run must end before the next one is due, and a step before its run, with all that it waits for."
    "E113" "time zone" "Time zones have IANA names such as Europe/Berlin."
    "E114" "region" "The region is not one of those that prober.yaml names."
    "E115" "steps" "A scenario has a list of steps, or one step at the top of the file, not both."
    "E116" "kind of step" "A step has exactly one kind, such as `http` or `dns`."
    "E117" "too many" "There are more of these than the language allows: 50 steps, 10 labels."
    "E118" "cron expression" "Five fields: minute, hour, day, month, weekday. Put it in quotes, since `*` means something to YAML."
    "E119" "cron never comes true" "No day within eight years fits the expression, such as the 30th of February."
    "E120" "newer version" "The file asks for a version of the language that this program does not know."
    "E121" "reserved label" "Metrics use the label themselves."
    "E122" "URL" "The value is not a URL that starts with http:// or https://."
    "E123" "address" "The value is not an IP address and a port, such as 127.0.0.1:9899, nor whatever else the key takes: a resolver may also be tls://dns.example, a network 203.0.113.0/24."
    "E124" "network rule" "A line under `allow` or `deny` is an address, a block such as 10.0.0.0/8, a host name, or *.suffix for all names below it, perhaps with :port or :from-to."
    "E131" "name to look up" "A name to look up has labels of letters, digits and `-`, without scheme, port and path."
    "E132" "path of a file" "The path cannot be that of a file."
    "E133" "data source" "The data source is a URL such as postgresql://probe@db.example:5432/shop, or key=value pairs."
    "E134" "host and port" "The target is a host name or address and a port, such as shop.example:443."
    "E135" "keys that exclude each other" "Two keys say different things about the same. Leave one of them out."
    "E136" "escape" "The text has a backslash before a letter that has no meaning. Known are \\r, \\n, \\t, \\\\ and \\xHH."
    "E137" "bytes" "What is sent is written as `encoding` says: pairs of hexadecimal digits, or Base64. The text stands for no bytes in that."
    "E138" "side effects that could happen twice" "A scenario with side_effects: true is never run twice for a slot, so no step of it may do its work twice either: retry only on failures that come before the request, and poll only what reads."
    "E140" "exporter" "The project names an exporter that this version does not have."
    "E141" "exporter's settings" "A setting of an exporter is unknown, missing, given twice, or has a value that it cannot have."
    "E151" "unknown template" "Templates are the files that `include` in prober.yaml names; `use` holds the name that stands under `template`."
    "E152" "unknown parameter" "A template has the parameters that it declares under `params`, and no others."
    "E153" "missing argument" "A parameter without a default needs a value under `with`."
    "E154" "parameter" "A parameter has a type, and perhaps a default: { type: duration, default: 300ms }. Types are url, text, duration, number, int, bool, size, percent and choice."
    "E155" "envelope" "The envelope is apiVersion: prober.io/v1, kind: Scenario or Template, metadata with the name and labels, and spec with the rest."
    "E156" "key in a template" "A template's body holds what scenarios share. `name`, `use`, `with`, `matrix` and `was` belong to each scenario, so templates cannot use templates."
    "E157" "matrix" "A matrix has keys with lists of constants. Instances are named name[key=value], so values have few letters; the keys become labels."
    "E158" "maintenance" "A maintenance recurs (`cron` and `duration`, perhaps `timezone`) or is once (`from` and `to`, with their offset)."
    "E159" "former name" "`was` names what the scenario was called before. The name must be free now, and only one scenario can have its history."
    "E160" "share without its sign" "A share is a number and `%`: 99.9%. Without the sign it could be 0.999 or 99.9."
    "E161" "objective out of range" "An objective is more than 0% and less than 100%. With 100% the first bad run breaks it for the whole window, and with 0% nothing ever does."
    "E162" "route" "Alerts name routes that prober.yaml defines under `routes`, each once."
    "E163" "kind of route" "A route has exactly one kind: alertmanager, webhook, pagerduty or slack."
    "E164" "quorum larger than the regions" "So many regions must be bad for the scenario to count as down, and it runs in fewer."
    "E165" "secret in a route" "Whoever knows this value can page people. It is kept in the environment or in a file and named under `secrets`."
    "E166" "scenarios of an SLO" "The scenarios that an SLO is made of are named under `scenarios`, each once, or have the labels under `labels`; not both. An SLO that looks at nothing would always look well."
    "E167" "adjustment" "An adjustment takes runs of the past out of a budget: `from` and `to`, which is not after `added`, with their offset; objectives, scenarios and regions that are there; an author and a reason. No slot is in two of them. What is planned is a `maintenance`."
    "E171" "URL to probe" "The URL is not one that can be requested: it needs http:// or https://, for a WebSocket ws:// or wss://, and a host."
    "E172" "method" "The method is not one that HTTP allows here."
    "E173" "header to send" "The header cannot have this name, or is set by other means."
    "E175" "several bodies" "A request has one body: json, form, body, multipart or file; a part has one content: value or file."
    "E176" "body limit" "Bodies are read up to a limit that bounds the memory of a run."
    "E177" "insecure without a reason" "Turning verification off needs the reason why that is right, since it stays in the file."
    "E178" "host name" "A host name without scheme and port is needed."
    "E179" "address family" "The address in the URL is of the other family."
    "E180" "credentials in the file" "Credentials are a secret: named, with their source, under `secrets` in prober.yaml."
    "E181" "region of a service" "The region of a cloud service has small letters, digits and `-`, such as us-east-1."
    "E182" "bucket" "Endpoint and bucket together give a URL: https://s3.example and a name of letters, digits, `.`, `-`, `_`."
    "E183" "signing in" "A step signs in in one way: basic, bearer, digest, oauth2, sigv4, or a header Authorization."
    "E184" "proxy" "A proxy is a URL with a port: http://proxy.example:3128, socks5:// or socks5h://."
    "E191" "not allowed by the network policy" "Probes connect to public addresses only, unless `network` in prober.yaml says more: whoever may write a scenario must not reach what only this machine can reach. Addresses of cloud metadata must be named themselves."
    "E201" "used before captured" "Captures are there for later steps only."
    "E202" "undefined variable" "No file and no --var defines the variable. An undefined variable is an error, never an empty text."
    "E203" "undefined secret" "Secrets are named, with their source, under `secrets` in prober.yaml or in one of its regions."
    "E204" "unknown name" "`${…}` holds vars.NAME, secrets.NAME, params.NAME in a template, matrix.NAME, region, run.id, run.started_at, run.attempt, or the name of a capture."
    "E205" "`${…}`" "A `${…}` holds one name and filters. `$${` stands for a plain `${`."
    "E206" "unknown filter" "Filters are urlencode, base64 and json."
    "E207" "not known before a run" "The value is needed when files are read, where captures, secrets and the facts of a run are not known."
    "E208" "not defined in a region" "The scenario runs in a region that lacks the variable or secret."
    "E209" "line break in a header" "A line break in a header's value would begin another header."
    "E210" "value of a variable" "Variables are constants: texts, numbers, true or false."
    "E301" "regular expression" "The pattern is not one of the engine's, which takes linear time and so has no look-around."
    "E302" "JSON path" "Paths follow RFC 9535: $.a.b, $.items[0], $.items[*].id."
    "E303" "header name" "Header names have letters, digits and a few signs such as `-`."
    "E304" "row and column" "A value of a query is named by its row, counted from 0, and its column: \"[0].last\"."
    "E305" "operand" "The operator cannot work with this value, or the step shows what it is compared with in another form, so that it never holds."
    "E306" "unknown operator" "The word is not an operator of the language."
    "E307" "status" "A whole number of 100–599, `2xx`, or a list of those."
    "E308" "operator does not fit" "The operator makes no sense for the type of what is looked at."
    "E309" "capture" "A capture takes one value from one place: { json: $.id }, { header: Location }, { regex: 'id=(\\d+)' }."
    "E310" "contradiction" "What is asked for can never come about: several operators in one map must all hold, and no value fulfils these; a limit that no value reaches; a rule of `sli.ineligible` or `poll.stop_if` that takes every run, or every good one; more than the step lets itself be shown, such as more redirects than it follows."
    "E311" "nothing to look at" "The step can never show what is looked at: an answer to HEAD, say, has no body."
    "E312" "XML path" "Paths name elements from the top down: /feed/entry[1]/title, /feed/entry/@id."
    "E313" "CSS selector" "Elements of an HTML page are chosen by CSS selectors, and an attribute behind them: h1.title, a[rel=next] @href."
    "E314" "JSON Schema" "A schema follows json-schema.org and holds all that it refers to: nothing is fetched. A word that is nearly one of the language is a mistake, as it would be a check that is never made."
    "W301" "unused capture" "No later step uses the value."
    "W302" "secret in a host name" "Host names are sent in the clear to resolvers and shown in many places."
    "W303" "secret in the file" "The value looks like a password or token. Name its source under `secrets` instead."
    "W304" "`{{ }}` is sent as it is" "Values are filled in with `${…}`."
    "W305" "captured twice" "Later steps see only the later value."
    "W306" "retry that may do the work twice" "After these failures the target may have seen the request already. Send an Idempotency-Key, or retry only on failures that come before the request."
    "W307" "setting without effect" "What the file says changes nothing: `sli.retried` where no step has a `retry`, a `good` that every run keeps that is not cut off by its timeout, a `critical` region that is the only one."
    "W310" "one failed run would page" "A page is sent when the budget burns 14.4 times too fast. With so few runs an hour, a single failed one already burns faster: a blip wakes somebody. prober's own policy therefore waits for at least 3 bad runs, and then this floor decides and not the objective; rules of other tools have no such floor. `prober explain slo NAME` shows the numbers."
    "W311" "too few runs for the objective" "The window has so few runs that the objective allows less than one of them to be bad. It is then met only by perfection, and says nothing about how good the system is."
    "W312" "low objective" "The objective is the share of good runs. One below 50% is usually the share of bad ones."
    "W320" "value cut off at #" "A `#` after a space begins a comment, also in the middle of a text. What stands behind it is not part of the value."
    "W321" "quotes that are none" "Only straight quotes are quotes to YAML. Curly ones, which word processors type, become part of the text."
    "W322" "yes and no" "YAML 1.1 read yes, no, on and off as true and false; YAML 1.2, which is used here, reads texts. In a JSON value the difference is sent to the target."
    "W323" "zero lost" "1.10 is the number 1.1. A version is a text and must be in quotes."
    "W324" "name that nothing asks for" "In YAML, `&word` at the start of a value is a name for it and no part of it. Here no `*word` asks for it, so that it was probably part of the text."
    "W330" "waiver not needed" "A waiver that waives nothing hides the next warning of its kind. Take it out when its cause is gone."
    "W331" "not a waiver" "A waiver names the warnings that it allows: # prober: allow W310 because … Errors cannot be waived."
    "W332" "waiver without a reason" "The reason stays in the file for whoever reads it next: # prober: allow W310 because …"
    "W340" "timeout close to the interval" "A run that takes as long as its timeout leaves no time before the next one is due. That one is then missed, and a slow target becomes a gap in the account."
    "W341" "very often" "An interval below five seconds is a load that the owner of the target should know of. One `every: 1s` in four regions is 345,600 requests a day."
    "W342" "pattern that matches everything" "A pattern that matches the empty text matches every text: `a*` is true of anything. The assertion can never fail."
    "W343" "assertion that always holds" "No answer of the target can break it. It looks like a check and is none."
    "W344" "pattern without ends" "Patterns may match anywhere. One that describes a whole value, such as a number or an id, is then also true of longer values that merely contain one."
    "W345" "POST without ${run.id}" "A prober that is killed cannot clean up. What it creates should carry ${run.id}, so that people and clean-up jobs can tell it from real data, and so that a repeated request is recognised."
    "W346" "credentials in the clear" "Over http everyone on the way can read what is sent. Only the machine itself is excepted."
    "W347" "credentials to whoever answers" "With `insecure` the certificate is not verified, and whoever answers is trusted with the credentials. Name the authority with `ca` instead."
    "W348" "page without explanation" "Somebody is woken up. They need to know what the system is for (`aim`), whose it is (`owner`) and where to read what to do (`runbook`)."
    "W349" "same scenario twice" "Two scenarios send the same requests as often, and expect the same. Usually one was copied and not changed, and what it should look at is not looked at."
    "W350" "unused parameter" "The template's body does not use the parameter, so its arguments do nothing."
    "W351" "hidden variable" "A variable is hidden where that is seldom meant: a regional one by a scenario's, or any by a key of the matrix. The order, weakest first: project, region, template, scenario, matrix, --var."
    "W352" "unused variable" "Nothing uses the variable; perhaps its name is misspelt where it should be."
    "W353" "unused template" "No scenario uses the template, so nobody knows whether its body is right."
    "W354" "many instances" "The matrix stands for more than 200 scenarios. Each has a schedule, a history and alerts of its own."
    "W355" "long maintenance" "Slots inside a maintenance do not count, so an outage in it is seen by nobody. A recurring one of more than a day, or a single one of more than a week, is seldom meant; nor are several that together leave no slot."
    "W356" "maintenance is over" "A maintenance with an end in the past does nothing any more."
    "W357" "pattern that names nothing" "No file matches this pattern of `scenarios` or `include`, while others match some: perhaps a folder was renamed."
    "W358" "file that no pattern names" "It ends as YAML files may, and only for that ending no pattern names it: what stands in it is never run."
    "W359" "cron that comes true otherwise than it looks" "With a day of the month and a weekday either is enough, so that `0 9 1-7 * MON` is every Monday and the first seven days. A step begins anew with each hour or day, so that `*/45` is at 0 and 45, and 15 minutes later at 0 again."
    "W360" "text that is hardly meant" "What is looked for holds the control character of an escape in double quotes, the line break at the end of a block, or the slashes in which other languages write patterns; or the path of a file or the prefix of keys has `*`, `?` or `~`, which no shell reads. It is looked for as it stands, and so is seldom found. Under `json`, JSON in quotes is sent as one text."
    "W361" "part of a URL that is not sent" "What stands behind `#` in a URL is for browsers alone. The server is asked without it, so that another page than the one that was meant may be looked at."
    "W362" "bound that is the wrong way round" "It fails when things are as they should be and holds when they are not: a certificate that ends too late, an answer that comes too soon. Write the other bound, or both if a range is meant."
    "W363" "port at which TLS begins otherwise" "At some ports everybody begins TLS in the same way: with the first byte at 443 or 993, after the protocol's own words at 587 or 5432, and not at all at 80. A step that begins otherwise waits for what never comes."
    "W364" "body without a method" "Without `method` it is GET, also beside a body. Other tools send POST then; asked with GET, most servers do not look at the body and answer with a list or a page, which is easily taken for success."
}

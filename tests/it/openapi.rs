//! Checks the emulated cloud API and its clients against the schema of the real API.
//!
//! The schema is not part of this repository. Without it, only the checks that do not need it run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use genesync::emulator::{Request, Response, World, seed_from_json};
use jiff::{SignedDuration, Timestamp};
use jsonschema::Validator;
use serde_json::{Map, Value, json};

/// Bodies in the schema that it does not list at the path they are read from.
const UNLISTED: &[(&str, &str, &str)] = &[
    ("GET", "/api/v2/flows/{}", "Flow"),
    ("GET", "/api/v2/knowledge/knowledgebases/{}", "KnowledgeBase"),
    ("DELETE", "/api/v2/knowledge/knowledgebases/{}", "KnowledgeBase"),
    ("GET", "/api/v2/authorization/products", "DomainOrganizationProduct"),
    ("GET", "/api/v2/users/{}", "User"),
];

/// The schema's entry for one method of one path.
struct Operation {
    method: String,
    path: String,
    /// The names of its query parameters.
    query: BTreeSet<String>,
    request: Option<Value>,
    response: Option<Value>,
}

struct Contract {
    operations: Vec<Operation>,
    components: Value,
    /// By the text of the schema: building a validator takes longer than using it.
    validators: Mutex<BTreeMap<String, Arc<Validator>>>,
}

impl Contract {
    fn load() -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let places = ["../shared", "../../shared"].map(|place| root.join(place));
        let file = "contract/genesys-openapi-subset.json";
        let text = places.iter().find_map(|place| std::fs::read_to_string(place.join(file)).ok())?;
        let whole: Value = serde_json::from_str(&text).unwrap();
        let mut operations = Vec::new();
        for (path, methods) in whole["paths"].as_object().unwrap() {
            for (method, known) in methods.as_object().unwrap() {
                let parameters = known["parameters"].as_array().into_iter().flatten();
                let query = parameters.filter(|parameter| parameter["in"] == "query");
                let schema = |body: &Value| body.pointer("/content/application~1json/schema").cloned();
                operations.push(Operation {
                    method: method.to_uppercase(),
                    path: path.clone(),
                    query: query.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect(),
                    request: schema(&known["requestBody"]),
                    response: schema(&known["responses"]["2XX"]),
                });
            }
        }
        // Literal paths before those with variables.
        operations.sort_by_key(|operation| operation.path.matches('{').count());
        for (method, path, name) in UNLISTED {
            let one = json!({ "$ref": format!("#/components/schemas/{name}") });
            let many = json!({"type": "object", "required": ["entities", "total"],
                "properties": {"entities": {"type": "array", "items": one}, "total": {"type": "integer"}}});
            let response = Some(if path.ends_with("{}") { one } else { many });
            let (method, path) = ((*method).to_owned(), (*path).to_owned());
            operations.push(Operation { method, path, query: BTreeSet::new(), request: None, response });
        }
        Some(Self { operations, components: whole["components"].clone(), validators: Mutex::default() })
    }

    fn operation(&self, request: &Request) -> Option<&Operation> {
        let fits = |operation: &&Operation| {
            operation.method == request.method && is_at(&operation.path, &request.path)
        };
        self.operations.iter().find(fits)
    }

    fn errors(&self, schema: &Value, instance: &Value) -> Vec<String> {
        let validator = self.validator(schema);
        validator.iter_errors(instance).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    fn validator(&self, schema: &Value) -> Arc<Validator> {
        let mut known = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        let made = known.entry(schema.to_string()).or_insert_with(|| {
            let mut whole = schema.as_object().unwrap().clone();
            whole.insert("components".to_owned(), self.components.clone());
            let options = jsonschema::draft202012::options().should_validate_formats(true);
            Arc::new(options.build(&Value::Object(whole)).unwrap())
        });
        Arc::clone(made)
    }
}

/// Returns whether a path matches a pattern with `{variables}`.
fn is_at(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
    let mut both = pattern.iter().zip(&path);
    pattern.len() == path.len()
        && both.all(|(part, given)| part == given || part.starts_with('{') && !given.is_empty())
}

fn contract() -> Option<&'static Contract> {
    static CONTRACT: OnceLock<Option<Contract>> = OnceLock::new();
    let found = CONTRACT.get_or_init(|| {
        let found = Contract::load();
        if found.is_none() {
            println!("the schema of the cloud API is not at hand: exchanges are checked without it");
        }
        found
    });
    found.as_ref()
}

/// Checks exchanges against the schema: the query and body of each request of the cloud API, and the body of
/// its answer. Fields that the schema does not know are fine; missing and mistyped ones are not. It skips
/// exchanges of other APIs.
#[track_caller]
pub fn assert_valid(exchanges: &[(Request, Response)]) {
    let mut wrong = Vec::new();
    for (request, response) in exchanges {
        if !is_cloud(request) {
            continue;
        }
        let mut found = Vec::new();
        match contract() {
            Some(contract) => check(contract, request, response, &mut found),
            None => check_without(request, response, &mut found),
        }
        let named = |error| format!("{} {} ({}): {error}", request.method, request.path, response.status);
        wrong.extend(found.into_iter().map(named));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn is_cloud(request: &Request) -> bool {
    let other = ["/api/v2/webchat/", "/api/v2/audit/"];
    request.path.starts_with("/api/v2/") && !other.iter().any(|prefix| request.path.starts_with(prefix))
}

fn check(contract: &Contract, request: &Request, response: &Response, found: &mut Vec<String>) {
    let Some(operation) = contract.operation(request) else {
        // A request for a missing path must get an error.
        if response.status < 400 {
            found.push("the schema has no such operation".to_owned());
        }
        return;
    };
    for (name, _) in url::form_urlencoded::parse(request.query.as_bytes()) {
        let dotless = name.replace(".id", "Id");
        if !operation.query.contains(&*name) && !operation.query.contains(&dotless) {
            found.push(format!("the query has no parameter `{name}`"));
        }
    }
    // A request that the server refused may break the schema.
    if response.status < 400 {
        match (&operation.request, serde_json::from_slice::<Value>(&request.body)) {
            (Some(schema), Ok(body)) => {
                found.extend(
                    contract.errors(schema, &body).into_iter().map(|error| format!("request {error}")),
                );
            }
            (Some(_), Err(error)) => found.push(format!("the request is not JSON: {error}")),
            (None, _) if !request.body.is_empty() => found.push("the request has a body".to_owned()),
            (None, _) => {}
        }
    }
    let error = json!({"$ref": "#/components/schemas/ErrorBody"});
    // A redirect may have any body.
    let schema = if response.status >= 300 { Some(&error) } else { operation.response.as_ref() };
    match (schema, body_of(response)) {
        (Some(schema), Some(body)) => {
            found.extend(contract.errors(schema, &body).into_iter().map(|error| format!("answer {error}")));
        }
        (None, Some(_)) => found.push("the answer has a body".to_owned()),
        (Some(_), None) if response.status == 200 && !is_foreign(response) => {
            found.push("the answer has no body".to_owned());
        }
        (_, None) => {}
    }
}

fn check_without(request: &Request, response: &Response, found: &mut Vec<String>) {
    let Some(body) = body_of(response) else {
        if !response.body.is_empty() && !is_foreign(response) {
            found.push("the answer is not JSON".to_owned());
        }
        return;
    };
    // A redirect may have any body.
    if (300..400).contains(&response.status) {
        return;
    }
    if response.status >= 400 {
        for name in ["message", "code", "contextId"] {
            if !body[name].is_string() {
                found.push(format!("the error has no `{name}`"));
            }
        }
        return;
    }
    let nameless = ["/limits/", "/servicemapping", "/identityresolution", "/tokens/me"];
    let has_ids = !nameless.iter().any(|part| request.path.contains(part))
        && !request.path.contains("/deployments/")
        && body.is_object();
    let objects = match body["entities"].as_array() {
        Some(entities) => entities.iter().collect(),
        None => vec![&body],
    };
    if has_ids && objects.iter().any(|object| !object["id"].is_string()) {
        found.push("an object has no `id`".to_owned());
    }
}

/// Returns the body of an answer if it is JSON.
fn body_of(response: &Response) -> Option<Value> {
    serde_json::from_slice(&response.body).ok()
}

/// Returns whether an answer comes from a proxy in between, as a scripted page does.
fn is_foreign(response: &Response) -> bool {
    response.header("content-type").is_some_and(|kind| !kind.starts_with("application/json"))
}

/// A world with one client, and the requests to it.
struct Caller {
    world: World,
    now: Timestamp,
    token: String,
    /// Operations that succeeded, as the emulator's routes name them.
    done: BTreeMap<String, u16>,
}

impl Caller {
    fn new() -> Self {
        let configuration = json!({
            "description": "one", "languages": ["en-us"], "defaultLanguage": "en-us",
            "messenger": {"enabled": true, "apps": {"conversations": {"enabled": true}, "knowledge": {"enabled": true, "knowledgeBase": {"id": "k1"}}}},
            "authenticationSettings": {"enabled": true, "integrationId": "i1"},
        });
        let world = json!({
            "clients": [{"id": "c", "secret": "s", "name": "C", "cloud": {"organization": "o"}}],
            "organizations": [{"id": "o", "cloud": {
                "name": "Acme", "region": "eu-central-1", "features": {"chat": true},
                "flows": [{"id": "f1", "name": "Inbound", "description": "d"}],
                "knowledgeBases": [{"id": "k1", "name": "Help"}, {"id": "k2", "name": "More"}],
                "supportedContent": [{"id": "s1", "name": "Pictures"}],
                "messagingSettings": [{"id": "m1", "name": "Typing"}],
                "openIdIntegrations": [{"id": "i1", "name": "Login"}],
                "pushIntegrations": [{"id": "p1", "name": "Phones", "provider": "APNS"}],
                "configurations": [{"id": "conf", "name": "Website", "versions": [configuration, {}]}],
                "deployments": [{"id": "dep", "name": "Shop", "configuration": {"id": "conf", "version": "1"}, "flow": {"id": "f1"}, "supportedContent": {"id": "s1"}, "allowAllDomains": true}],
            }}],
        });
        let seed = seed_from_json(world.to_string().as_bytes()).unwrap();
        let now = "2026-03-01T00:00:00.123456Z".parse().unwrap();
        let mut caller = Self { world: World::new(&seed), now, token: String::new(), done: BTreeMap::new() };
        caller.world.keep_exchanges();
        let request = Request::new("POST", "/oauth/token").with_header("authorization", "Basic Yzpz");
        let answer = caller.world.handle(&request.with_body("grant_type=client_credentials"), now);
        let token = body_of(&answer.response.unwrap()).unwrap();
        caller.token = token["access_token"].as_str().unwrap().to_owned();
        caller
    }

    fn call(&mut self, method: &str, target: &str, body: Value) -> Value {
        self.now += SignedDuration::from_millis(400);
        let mut request =
            Request::new(method, target).with_header("authorization", &format!("Bearer {}", self.token));
        if !body.is_null() {
            request = request.with_body(body.to_string());
        }
        let response = self.world.handle(&request, self.now).response.unwrap();
        if response.status < 300 {
            let operation = contract().and_then(|contract| contract.operation(&request));
            let path = operation.map_or(request.path.as_str(), |operation| operation.path.as_str());
            self.done.insert(format!("{method} {path}"), response.status);
        }
        body_of(&response).unwrap_or(Value::Null)
    }

    fn get(&mut self, target: &str) -> Value {
        self.call("GET", target, Value::Null)
    }
}

const BASE: &str = "/api/v2/webdeployments";
const OPEN: &str = "/api/v2/conversations/messaging/integrations/open";

/// Calls every operation of supported content, messaging settings and knowledge bases, under both paths if
/// there are two.
fn call_profiles(caller: &mut Caller) {
    for prefix in ["/api/v2/conversations/messaging", "/api/v2/messaging"] {
        let content = format!("{prefix}/supportedcontent");
        let media = json!({"allow": {"inbound": [{"type": "*/*"}], "outbound": [{"type": "video/mpeg"}]}});
        let new = caller.call("POST", &content, json!({"name": "New", "mediaTypes": media}));
        let new = format!("{content}/{}", new["id"].as_str().unwrap());
        caller.call(
            "PATCH",
            &new,
            json!({"name": "New", "mediaTypes": {"allow": {"inbound": [{"type": "image/*"}]}}}),
        );
        caller.call("DELETE", &new, Value::Null);
        let settings = format!("{prefix}/settings");
        let on = json!({"typing": {"on": {"inbound": "Enabled"}}});
        let new = caller.call("POST", &settings, json!({"name": "New", "event": on}));
        let (id, new) = (new["id"].clone(), format!("{settings}/{}", new["id"].as_str().unwrap()));
        caller.call("PATCH", &new, json!({"name": "Newer", "event": on}));
        let default = format!("{settings}/default");
        caller.call("PUT", &default, json!({"settingId": id}));
        caller.get(&default);
        caller.call("DELETE", &default, Value::Null);
        // Refusals have a schema, too.
        caller.get(&default);
        caller.call("PUT", &default, json!({"settingId": "no"}));
        caller.call("DELETE", &new, Value::Null);
        caller.call(
            "POST",
            &content,
            json!({"name": "New", "mediaTypes": {"allow": {"inbound": [{"type": "x"}]}}}),
        );
    }
    let default = "/api/v2/conversations/messaging/supportedcontent/default";
    caller.get(default);
    caller.call("PUT", default, json!({"id": "s1"}));
    caller.get(default);
    caller.call("DELETE", "/api/v2/conversations/messaging/supportedcontent/s1", Value::Null);
    let person = json!({"organizationId": "o", "actor": "ann",
        "messagingSetting": {"messagingSetting": "Typing", "patch": {"name": "Hers"}},
        "supportedContent": {"supportedContent": "Pictures", "patch": {"name": "Hers"}}});
    caller.call("POST", "/_emulator/edit", person);
    caller.get("/api/v2/conversations/messaging/settings");
    caller.get("/api/v2/conversations/messaging/supportedcontent");
    let bases = "/api/v2/knowledge/knowledgebases";
    let new = caller.call("POST", bases, json!({"name": "New", "coreLanguage": "en-US"}));
    caller.call("DELETE", &format!("{bases}/{}", new["id"].as_str().unwrap()), Value::Null);
    caller.get("/api/v2/authorization/products");
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one world is called, and each call needs the ids of those before it"
)]
fn every_operation_answers_as_the_schema_says() {
    let mut caller = Caller::new();
    let made = caller.call(
        "POST",
        &format!("{BASE}/configurations"),
        json!({"name": "New", "position": {"alignment": "Left"}}),
    );
    let conf = format!("{BASE}/configurations/{}", made["id"].as_str().unwrap());
    caller.call(
        "PUT",
        &format!("{conf}/versions/draft"),
        json!({"name": "New", "headlessMode": {"enabled": true}}),
    );
    caller.call("POST", &format!("{conf}/versions/draft/publish"), Value::Null);
    for path in ["/versions/draft", "/versions/1", "/versions?pageSize=1", "/versions"] {
        caller.get(&format!("{conf}{path}"));
    }
    caller.get(&format!("{BASE}/configurations?pageSize=1"));
    let person = json!({"organizationId": "o", "actor": "ann", "draft": {"configuration": "Website", "patch": {"description": "hers"}}});
    caller.call("POST", "/_emulator/edit", person);
    caller.get(&format!("{BASE}/configurations"));
    let deployment = json!({"name": "D", "configuration": {"id": made["id"], "version": "1"}, "flow": {"id": "f1"}, "supportedContent": {"id": "s1"},
        "pushIntegrations": [{"provider": "APNS", "id": "p1"}], "allowedDomains": ["a.example"]});
    let new = caller.call("POST", &format!("{BASE}/deployments"), deployment.clone());
    let dep = format!("{BASE}/deployments/{}", new["id"].as_str().unwrap());
    caller.call("PUT", &dep, deployment);
    caller.get(&format!("{dep}?expand=supportedContent,flowDetails"));
    caller.get(&format!("{dep}/configurations"));
    caller.get(&format!("{dep}/identityresolution"));
    caller.call("PUT", &format!("{dep}/identityresolution"), json!({"resolveIdentities": true}));
    caller.get(&format!("{BASE}/deployments?pageSize=1"));
    caller.get(&format!("{BASE}/deployments?expand=Configuration,SupportedContent,identityresolution"));
    for target in [
        "/api/v2/flows?name=inbound&type=inboundshortmessage",
        "/api/v2/flows/f1",
        "/api/v2/knowledge/knowledgebases?pageSize=1",
        "/api/v2/knowledge/knowledgebases/k1",
        "/api/v2/conversations/messaging/supportedcontent?pageSize=5",
        "/api/v2/conversations/messaging/supportedcontent/s1",
        "/api/v2/messaging/supportedcontent",
        "/api/v2/messaging/supportedcontent/s1",
        "/api/v2/conversations/messaging/settings",
        "/api/v2/conversations/messaging/settings/m1",
        "/api/v2/messaging/settings",
        "/api/v2/messaging/settings/m1",
        "/api/v2/integrations",
        "/api/v2/integrations/i1",
        "/api/v2/organizations/me",
        "/api/v2/tokens/me",
        "/api/v2/organizations/limits/namespaces/web.deployments",
        "/api/v2/organizations/limits/namespaces/platform.api/defaults",
        "/api/v2/audits/query/servicemapping",
        "/api/v2/audits/query/realtime/servicemapping",
    ] {
        caller.get(target);
    }
    let open = json!({"name": "o", "outboundNotificationWebhookUrl": "https://hook.example/x", "outboundNotificationWebhookSignatureSecretToken": "0123456789abcdef", "messagingSetting": {"id": "m1"}});
    let integration = caller.call("POST", OPEN, open);
    let integration = format!("{OPEN}/{}", integration["id"].as_str().unwrap());
    caller.get(OPEN);
    caller.get(&integration);
    caller.call("PATCH", &integration, json!({"name": "p", "supportedContent": {"id": "s1"}}));
    caller.call("DELETE", &integration, Value::Null);
    let asked = json!({"interval": "2026-03-01T00:00:00Z/2026-03-02T00:00:00Z", "serviceName": "WebDeployments",
        "filters": [{"property": "EntityType", "value": "Deployment"}], "sort": [{"name": "Timestamp", "sortOrder": "ascending"}]});
    call_profiles(&mut caller);
    let transaction = caller.call("POST", "/api/v2/audits/query", asked.clone());
    let transaction = format!("/api/v2/audits/query/{}", transaction["id"].as_str().unwrap());
    caller.get(&transaction);
    let results = caller.get(&format!("{transaction}/results?pageSize=1&expand=user"));
    assert!(results["entities"][0]["id"].is_string(), "{results}");
    caller.call("POST", "/api/v2/audits/query/realtime", asked);
    let everything = json!({"interval": "2026-03-01T00:00:00Z/2026-03-02T00:00:00Z"});
    caller.call("POST", "/api/v2/audits/query/realtime?expand=user", everything);
    let related = json!({"auditId": results["entities"][0]["id"]});
    caller.call("POST", "/api/v2/audits/query/realtime/related", related);
    // Refusals have a schema, too.
    caller.call("PUT", &format!("{conf}/versions/draft"), json!({"name": 5}));
    caller.call("POST", &format!("{BASE}/deployments"), json!({"name": "x"}));
    caller.call("DELETE", &format!("{BASE}/configurations/conf"), Value::Null);
    caller.get(&format!("{BASE}/configurations/no/versions/draft"));
    caller.call("DELETE", &dep, Value::Null);
    caller.call("DELETE", &conf, Value::Null);
    caller.call("HEAD", "/api/v2/tokens/me", Value::Null);
    caller.call("DELETE", "/api/v2/tokens/me", Value::Null);
    caller.get("/api/v2/tokens/me");
    assert_valid(&caller.world.exchanges());
    if contract().is_some() {
        assert_eq!(caller.done.len(), 72, "{:#?}", caller.done.keys());
    }
}

#[test]
fn a_violation_of_the_schema_is_found() {
    let request = |method: &str, target: &str, body: &str| Request::new(method, target).with_body(body);
    let draft = format!("{BASE}/configurations/c/versions/draft");
    let good: Map<String, Value> =
        Map::from_iter([("id".to_owned(), json!("c")), ("name".to_owned(), json!("n"))]);
    let with = |name: &str, value: Value| {
        let mut changed = good.clone();
        changed.insert(name.to_owned(), value);
        Response::json(200, &changed)
    };
    let cases = [
        (request("GET", &draft, ""), with("future", json!({"kept": 1})), true),
        (request("GET", &draft, ""), with("id", json!(5)), false),
        (request("GET", &draft, ""), with("name", json!(5)), false),
        (request("GET", &draft, ""), with("dateCreated", json!("yesterday")), false),
        (request("GET", &draft, ""), Response::json(404, &json!({"message": 5})), false),
        (request("GET", &format!("{draft}?size=5"), ""), with("future", json!(1)), false),
        (request("PUT", &draft, "{\"name\":\"n\"}"), with("future", json!(1)), true),
        (request("PUT", &draft, "{}"), with("future", json!(1)), false),
        (
            request("PUT", &draft, "{\"name\":\"n\",\"position\":{\"alignment\":\"Top\"}}"),
            with("future", json!(1)),
            false,
        ),
        (request("POST", &format!("{draft}/publish"), "{}"), with("future", json!(1)), false),
        (request("GET", "/api/v2/nothing", ""), with("future", json!(1)), false),
    ];
    for (request, response, is_valid) in cases {
        // Without the schema, check only the ids.
        if contract().is_none() && !is_valid && response.status == 200 {
            continue;
        }
        let named = format!("{} {}", request.method, request.path);
        let held = std::panic::catch_unwind(|| assert_valid(&[(request, response)]));
        assert_eq!(held.is_ok(), is_valid, "{named}");
    }
}

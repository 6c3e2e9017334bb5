//! Makes a change: confirms it where the environment is production, tells of a rival's change, keeps
//! what was typed, and says when it is not known whether anything has happened.

use std::{borrow::Cow, collections::HashMap};

use askama::Template;
use axum::{http::StatusCode, response::Response};
use domain::{Json, json::Object};
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    About,
    backend::{Api, Failure},
    links,
    rows::History,
    story::{self, Step},
    view::{Head, Nav, Page, View, described},
};

/// What a form holds, by name.
pub type FormValues = HashMap<String, String>;

/// The member of a form that says that its change was confirmed.
const CONFIRMED: &str = "confirmed";

/// A field of a form.
#[derive(Debug, Clone, Default)]
pub struct Field {
    /// Its name in the form and in the command.
    pub name: &'static str,
    /// What stands beside it.
    pub label: &'static str,
    /// What it holds.
    pub value: String,
    /// What may be written there.
    pub hint: &'static str,
    /// Must it be filled in?
    pub required: bool,
    /// What may be chosen; something else may be written, too.
    pub options: &'static [&'static str],
}

/// A form that sends a change.
#[derive(Debug, Clone)]
pub struct Form {
    /// The console's address that takes it.
    pub action: String,
    /// What the button says.
    pub button: Cow<'static, str>,
    /// Can it not be undone?
    pub danger: bool,
    /// What the command is known by, however often it is sent.
    pub key: String,
    /// The version that the sender sees, where that matters.
    pub version: Option<u64>,
    /// Was it confirmed, on the page that holds it?
    pub confirmed: bool,
    /// What is filled in.
    pub fields: Vec<Field>,
    /// The session's token.
    pub token: String,
}

impl Form {
    /// A form that was not sent yet.
    pub fn new(action: String, button: impl Into<Cow<'static, str>>, view: &View) -> Self {
        Self {
            action,
            button: button.into(),
            danger: false,
            key: format!("console-{}", Uuid::new_v4()),
            version: None,
            confirmed: false,
            fields: Vec::new(),
            token: view.token.clone(),
        }
    }

    /// The same form as it was sent.
    pub fn filled(mut self, sent: &FormValues) -> Self {
        let value = |name: &str| sent.get(name).map(|value| value.trim().to_owned());
        if let Some(key) = value("key").filter(|key| key.starts_with("console-")) {
            self.key = key;
        }
        self.version = value("version").and_then(|text| text.parse().ok());
        for field in &mut self.fields {
            field.value = value(field.name).unwrap_or_default();
        }
        self
    }

    /// The command's body: the fields that were filled in.
    fn body(&self) -> Json {
        let filled = self.fields.iter().filter(|field| !field.value.is_empty());
        let body = filled.map(|field| (field.name.to_owned(), field.value.as_str().into()));
        Json::Object(body.collect::<Object>())
    }
}

/// A change that somebody has asked for.
pub struct Change {
    /// Where its page stands.
    pub nav: Nav,
    /// What is done: `Cancel order A-1`.
    pub title: String,
    /// What will happen, in a sentence.
    pub effect: String,
    /// The form as it was sent.
    pub form: Form,
    /// What the action is called among `allowedActions`.
    pub action: &'static str,
    /// The API's address of the command.
    pub command: String,
    /// The page to come back to; the API's address of its row, too.
    pub back: String,
    /// The API's address of the history, where a rival's change is told from it.
    pub history: Option<String>,
}

#[derive(Template)]
#[template(path = "change.html")]
struct ChangePage<'a> {
    title: &'a str,
    about: &'a About,
    /// What is wrong, or nothing.
    problem: Option<String>,
    /// What has to be known before it is sent.
    note: String,
    /// What somebody else has done since.
    since: Vec<Step>,
    /// The form, where it can be sent again.
    form: Option<Form>,
    back: &'a str,
}

/// What somebody has asked for that is no command of the API: an operator's piece of work.
pub struct OperatorAction {
    /// Where its page stands.
    pub nav: Nav,
    /// What is done: `Retry what is stuck`.
    pub title: String,
    /// What will happen, in a sentence.
    pub effect: String,
    /// The form as it was sent.
    pub form: Form,
    /// The page to come back to.
    pub back: String,
}

impl OperatorAction {
    /// Repeats in production what will happen; else does it, and goes to the page that `work` names,
    /// or says why not.
    pub async fn carry_out(
        mut self,
        view: View,
        sent: &FormValues,
        work: impl Future<Output = Result<String, Failure>> + Send + 'static,
    ) -> Response {
        let awaited = format!("the end of: {}", self.title);
        let head = Head::new(self.nav, self.title.clone(), awaited);
        let (about, must_be_confirmed) = (
            view.console.about().clone(),
            must_be_confirmed(view.console.about(), sent),
        );
        view.show(head, async move {
            let (status, problem, note) = if must_be_confirmed {
                self.form.confirmed = true;
                let note = format!("In {}: {}", about.environment, self.effect);
                (StatusCode::OK, None, note)
            } else {
                match work.await {
                    Ok(address) => return Ok(Page::Redirect(address)),
                    Err(failure @ Failure::NotFound(_)) => return Err(failure),
                    Err(failure) => {
                        let failure = failure.with_operator_policy();
                        let (status, _, message) = described(&failure, &about);
                        let denied = matches!(failure, Failure::Denied(_));
                        let nothing = if denied { "Nothing was changed. " } else { "" };
                        let note = format!("{nothing}What would happen: {}", self.effect);
                        (status, Some(message), note)
                    }
                }
            };
            let page = ChangePage {
                title: &self.title,
                about: &about,
                problem,
                note,
                since: Vec::new(),
                form: Some(self.form.clone()),
                back: &self.back,
            };
            Page::with(status, &page)
        })
        .await
    }
}

/// Is it to be confirmed first?
fn must_be_confirmed(about: &About, sent: &FormValues) -> bool {
    about.is_guarded() && sent.get(CONFIRMED).is_none_or(|it| it != "yes")
}

impl Change {
    /// Makes it, and comes back to its page; or says why not.
    pub async fn make(self, view: View, sent: &FormValues) -> Response {
        let head = Head::new(
            self.nav,
            self.title.clone(),
            format!("the answer to: {}", self.title),
        );
        let (api, about) = (view.console.api().clone(), view.console.about().clone());
        let must_be_confirmed = must_be_confirmed(&about, sent);
        view.show(head, async move {
            match must_be_confirmed {
                true => self.confirmation_page(&about),
                false => self.send(&api, &about).await,
            }
        })
        .await
    }

    /// Repeats what will happen.
    fn confirmation_page(mut self, about: &About) -> Result<Page, Failure> {
        self.form.confirmed = true;
        let note = format!("In {}: {}", about.environment, self.effect);
        self.page(StatusCode::OK, about, None, note, Vec::new(), true)
    }

    async fn send(self, api: &Api, about: &About) -> Result<Page, Failure> {
        let form = &self.form;
        let body = form.body();
        let done = api.command(&self.command, &form.key, form.version, &body);
        match done.await {
            Ok(reply) => {
                let version = reply.version.to_string();
                let caught_up = [("minVersion", Some(version.as_str()))];
                // The row follows a moment later. Where it does not, the page shows what is there.
                let row = links::query(&self.back, &caught_up);
                let _ = api.get::<Object>(&row).await;
                let stored = [("stored", Some(version.as_str()))];
                Ok(Page::Redirect(links::query(&self.back, &stored)))
            }
            Err(failure) if failure.is_conflict() => self.conflict_page(api, about, failure).await,
            Err(failure @ Failure::NotFound(_)) => Err(failure),
            Err(failure) => self.failure_page(about, &failure),
        }
    }

    fn failure_page(self, about: &About, failure: &Failure) -> Result<Page, Failure> {
        let (status, _, message) = described(failure, about);
        let note = match failure.is_unknown() {
            true => {
                "It is not known whether it has happened. Send it again: it is the same command, \
                     so it has no second effect."
                    .to_owned()
            }
            false => "Nothing was changed. What you have written is still here:".to_owned(),
        };
        self.page(status, about, Some(message), note, Vec::new(), true)
    }

    /// Somebody else was first: says what they did, and offers the form again where that makes sense.
    async fn conflict_page(
        mut self,
        api: &Api,
        about: &About,
        failure: Failure,
    ) -> Result<Page, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Now {
            version: u64,
            allowed_actions: Vec<String>,
        }
        let seen = self.form.version.unwrap_or(0);
        let mut since = Vec::new();
        if let Some(path) = &self.history {
            let history: History = api.get(path).await?;
            let later = history
                .events
                .into_iter()
                .filter(|event| event.sequence > seen);
            since = later.map(story::step).collect();
        }
        let now: Now = api.get(&self.back).await?;
        self.form.version = Some(now.version);
        let again = now.allowed_actions.iter().any(|it| it == self.action);
        let note = match again {
            true => "Nothing of yours was changed. If it is still what you want, send it again:",
            false => "Nothing of yours was changed, and it can no longer be done.",
        };
        let (status, _, message) = described(&failure, about);
        self.page(status, about, Some(message), note.to_owned(), since, again)
    }

    fn page(
        self,
        status: StatusCode,
        about: &About,
        problem: Option<String>,
        note: String,
        since: Vec<Step>,
        with_form: bool,
    ) -> Result<Page, Failure> {
        let page = ChangePage {
            title: &self.title,
            about,
            problem,
            note,
            since,
            form: with_form.then(|| self.form.clone()),
            back: &self.back,
        };
        Page::with(status, &page)
    }
}

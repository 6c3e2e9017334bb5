//! Carries out changes: asks for confirmation in production, reports conflicting changes by others,
//! keeps what was typed, and says when the effect of a change is not known.

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

/// The values of a submitted form, by field name.
pub type FormValues = HashMap<String, String>;

/// The form field that says that the change was confirmed.
const CONFIRMED: &str = "confirmed";

/// A field of a form.
#[derive(Debug, Clone, Default)]
pub struct Field {
    /// The field's name in the form and in the command.
    pub name: &'static str,
    /// The label beside the field.
    pub label: &'static str,
    /// The field's value.
    pub value: String,
    /// An example or description of valid values.
    pub hint: &'static str,
    /// Whether the field must be filled in.
    pub required: bool,
    /// Suggested values. Other values are allowed, too.
    pub options: &'static [&'static str],
}

/// A form that sends a change.
#[derive(Debug, Clone)]
pub struct Form {
    /// The path of the console that the form is posted to.
    pub action: String,
    /// The text of the button.
    pub button: Cow<'static, str>,
    /// Whether the change cannot be undone.
    pub danger: bool,
    /// The idempotency key of the command. It stays the same however often the form is sent.
    pub key: String,
    /// The version that the sender has seen, where the command depends on it.
    pub version: Option<u64>,
    /// Whether the form stands on the confirmation page: sent from there, it is confirmed.
    pub confirmed: bool,
    /// The fields of the form.
    pub fields: Vec<Field>,
    /// The token of the session, which protects against forged requests.
    pub token: String,
}

impl Form {
    /// Creates a form that was not sent yet, with a new idempotency key.
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

    /// Returns the form with the values that were sent.
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

    /// Returns the body of the command: the fields that were filled in.
    fn body(&self) -> Json {
        let filled = self.fields.iter().filter(|field| !field.value.is_empty());
        let body = filled.map(|field| (field.name.to_owned(), field.value.as_str().into()));
        Json::Object(body.collect::<Object>())
    }
}

/// A requested change by a command of the API.
pub struct Change {
    /// The place of the change's page in the navigation.
    pub nav: Nav,
    /// The title of the change, such as `Cancel order A-1`.
    pub title: String,
    /// What the change does, as a sentence.
    pub effect: String,
    /// The form with the values that were sent.
    pub form: Form,
    /// The name of the action in `allowedActions`.
    pub action: &'static str,
    /// The API's path of the command.
    pub command: String,
    /// The page to return to. The API uses the same path for the row.
    pub back: String,
    /// The API's path of the history, from which conflicting changes are shown. `None` where it is
    /// not shown.
    pub history: Option<String>,
}

#[derive(Template)]
#[template(path = "change.html")]
struct ChangePage<'a> {
    title: &'a str,
    about: &'a About,
    /// Why the change was not made, where it was not.
    problem: Option<String>,
    /// What the user has to know before sending the form.
    note: String,
    /// The events that others have added since the user read the page.
    since: Vec<Step>,
    /// The form, where sending it again makes sense.
    form: Option<Form>,
    back: &'a str,
}

/// A requested change by one of the operator's functions, not by a command of the API.
pub struct OperatorAction {
    /// The place of the change's page in the navigation.
    pub nav: Nav,
    /// The title of the change, such as `Retry what is stuck`.
    pub title: String,
    /// What the change does, as a sentence.
    pub effect: String,
    /// The form with the values that were sent.
    pub form: Form,
    /// The page to return to.
    pub back: String,
}

impl OperatorAction {
    /// Shows a confirmation page in production. Otherwise, or once confirmed, runs `work` and
    /// redirects to the page that it returns, or shows why it failed.
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

/// Whether the change must be confirmed before it is made.
fn must_be_confirmed(about: &About, sent: &FormValues) -> bool {
    about.is_guarded() && sent.get(CONFIRMED).is_none_or(|it| it != "yes")
}

impl Change {
    /// Makes the change and redirects to its page, or shows why it was not made.
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

    /// Returns the page that asks for confirmation.
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
                // The row follows a moment later, so this waits for it. Where it does not follow in
                // time, the page shows the row as it is.
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

    /// Returns the page after a conflict: it shows what others did, and offers the form again where
    /// the action is still allowed.
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

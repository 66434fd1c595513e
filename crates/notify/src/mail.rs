//! E-mail by SMTP (RFC 5321), to exactly the checked address; certificates are held against the server's name.

use crate::{Courier, Letter, Refusal, Security, Target, post::cut};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Attachment, Mailbox, MessageBuilder, MultiPart, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use std::time::Duration;

/// Most bytes of attachments in one mail: servers commonly take 25 MB, and base64 adds a third.
pub const MOST_ATTACHED: usize = 15 << 20;
/// Longest wait for one answer of the server.
const ANSWER: Duration = Duration::from_secs(12);

/// A mail that tells more than a few lines.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The same at each try, so that a mail that came twice shows as one. Letters, digits, dots and hyphens.
    pub key: String,
    /// Its subject.
    pub subject: String,
    /// For readers without HTML.
    pub text: String,
    /// The same as a page.
    pub html: String,
    /// Files that go with it.
    pub files: Vec<File>,
    /// Readers; the target's own if there is none.
    pub to: Vec<String>,
}

/// A file that goes with a mail.
#[derive(Clone, Debug)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Its media type.
    pub kind: &'static str,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// A letter of some lines.
pub(crate) async fn send(courier: &Courier, target: &Target, letter: &Letter) -> Result<(), Refusal> {
    let message = addressed(target, &letter.key, &letter.title(), &[])?.header(ContentType::TEXT_PLAIN);
    let message = message.body(letter.lines().join("\r\n")).map_err(|_| UNWRITABLE)?;
    post(courier, target, message).await
}

/// A mail with files.
pub(crate) async fn send_whole(courier: &Courier, target: &Target, mail: Mail) -> Result<(), Refusal> {
    if mail.files.iter().map(|f| f.bytes.len()).sum::<usize>() > MOST_ATTACHED {
        return Err(Refusal::Settings(
            "the files are larger than 15 MiB together; choose a smaller part or coarser lines",
        ));
    }
    let builder = addressed(target, &mail.key, &mail.subject, &mail.to)?;
    let mut parts = MultiPart::mixed().multipart(MultiPart::alternative_plain_html(mail.text, mail.html));
    for file in mail.files {
        let kind = ContentType::parse(file.kind).map_err(|_| UNWRITABLE)?;
        parts = parts.singlepart(Attachment::new(file.name).body(file.bytes, kind));
    }
    let message = builder.multipart(parts).map_err(|_| UNWRITABLE)?;
    post(courier, target, message).await
}

const UNWRITABLE: Refusal = Refusal::Settings("the mail cannot be written");

/// A mail's head; to `readers`, or to the target's own if there is none.
fn addressed(target: &Target, key: &str, subject: &str, readers: &[String]) -> Result<MessageBuilder, Refusal> {
    let Target::Email { from, to, .. } = target else { return Err(NO_SERVER) };
    let mailbox = |text: &str| {
        let address = text.parse().map_err(|_| Refusal::Settings("a mail address cannot be used"))?;
        Ok::<_, Refusal>(Mailbox::new(None, address))
    };
    let domain = from.rsplit('@').next().unwrap_or("localhost");
    let mut builder = Message::builder()
        .from(mailbox(from)?)
        .subject(subject)
        // The same at each try, so that a mail that came twice shows as one.
        .message_id(Some(format!("<{key}@{domain}>")));
    for reader in if readers.is_empty() { to } else { readers } {
        builder = builder.to(mailbox(reader)?);
    }
    Ok(builder)
}

const NO_SERVER: Refusal = Refusal::Settings("no mail server is given");

async fn post(courier: &Courier, target: &Target, message: Message) -> Result<(), Refusal> {
    let Target::Email { host, port, security, user, password, .. } = target else { return Err(NO_SERVER) };
    let address = courier.locate(host, *port).await?;
    let tls = || {
        TlsParameters::new(host.clone()).map_err(|_| Refusal::Settings("this machine's certificates cannot be read"))
    };
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(address.ip().to_string())
        .port(*port)
        .timeout(Some(ANSWER))
        .tls(match security {
            Security::None => Tls::None,
            Security::StartTls => Tls::Required(tls()?),
            Security::Tls => Tls::Wrapper(tls()?),
        });
    if let (Some(user), Some(password)) = (user, password) {
        transport = transport.credentials(Credentials::new(user.clone(), password.clone()));
    }
    match transport.build().send(message).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_permanent() => Err(Refusal::Refused(cut(&error.to_string()))),
        Err(error) if error.is_transient() => Err(Refusal::Busy(cut(&error.to_string()))),
        Err(error) => Err(Refusal::Unreachable(cut(&error.to_string()))),
    }
}

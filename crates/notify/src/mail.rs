//! E-mail by SMTP (RFC 5321), to exactly the checked address; certificates are held against the server's name.

use crate::{Courier, Letter, Refusal, Security, Target, Unreached, post::cut};
use lettre::{
    Message,
    message::{Attachment, Mailbox, MessageBuilder, MultiPart, header::ContentType},
    transport::smtp::{
        Error,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, TlsParameters},
        commands::{Data, Mail as From, Rcpt},
        extension::ClientId,
    },
};
use std::time::Duration;

/// Most bytes of attachments in one mail: servers commonly take 25 MB, and base64 adds a third.
pub const MOST_ATTACHED: usize = 15 << 20;
/// Longest wait for one answer of the server.
const ANSWER: Duration = Duration::from_secs(12);
/// Longest wait for the server's farewell: the mail is on its way by then.
const FAREWELL: Duration = Duration::from_secs(1);

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
pub(crate) async fn send(courier: &Courier, target: &Target, letter: &Letter) -> Result<Vec<Unreached>, Refusal> {
    let message = addressed(target, &letter.key, &letter.title(), &[])?.header(ContentType::TEXT_PLAIN);
    let message = message.body(letter.lines().join("\r\n")).map_err(|_| UNWRITABLE)?;
    post(courier, target, message).await
}

/// A mail with files.
pub(crate) async fn send_whole(courier: &Courier, target: &Target, mail: Mail) -> Result<Vec<Unreached>, Refusal> {
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

/// Hands a mail over; gives the readers whom the server does not take while it takes others.
async fn post(courier: &Courier, target: &Target, message: Message) -> Result<Vec<Unreached>, Refusal> {
    let mut line = connect(courier, target).await?;
    let done = hand_over(&mut line, &message).await;
    let _ = tokio::time::timeout(FAREWELL, line.abort()).await;
    done
}

async fn connect(courier: &Courier, target: &Target) -> Result<AsyncSmtpConnection, Refusal> {
    let Target::Email { host, port, security, user, password, .. } = target else { return Err(NO_SERVER) };
    let address = courier.locate(host, *port).await?;
    let tls = || {
        TlsParameters::new(host.clone()).map_err(|_| Refusal::Settings("this machine's certificates cannot be read"))
    };
    let name = ClientId::default();
    let wrapped = matches!(security, Security::Tls).then(tls).transpose()?;
    let mut line =
        AsyncSmtpConnection::connect_tokio1(address, Some(ANSWER), &name, wrapped, None).await.map_err(refusal)?;
    if matches!(security, Security::StartTls) {
        line.starttls(tls()?, &name).await.map_err(refusal)?;
    }
    if let (Some(user), Some(password)) = (user, password) {
        let credentials = Credentials::new(user.clone(), password.clone());
        line.auth(DEFAULT_MECHANISMS, &credentials).await.map_err(refusal)?;
    }
    Ok(line)
}

/// One mail for all its readers (RFC 5321 §3.3): each is asked for by itself, so that one whom the server does not take
/// keeps it from nobody else.
async fn hand_over(line: &mut AsyncSmtpConnection, message: &Message) -> Result<Vec<Unreached>, Refusal> {
    let envelope = message.envelope();
    // Addresses of other letters need a server that says it takes them (RFC 6531); few do.
    if !envelope.from().into_iter().chain(envelope.to()).all(|address| address.to_string().is_ascii()) {
        return Err(Refusal::Settings("a mail address cannot be used"));
    }
    line.command(From::new(envelope.from().cloned(), Vec::new())).await.map_err(refusal)?;
    let mut unreached = Vec::new();
    for reader in envelope.to() {
        match line.command(Rcpt::new(reader.clone(), Vec::new())).await {
            Ok(_) => {}
            Err(error) if error.is_permanent() || error.is_transient() => unreached.push(Unreached {
                reader: reader.to_string(),
                why: cut(&error.to_string()),
                for_good: error.is_permanent(),
            }),
            Err(error) => return Err(refusal(error)),
        }
    }
    if unreached.len() == envelope.to().len() {
        let told = Unreached::told(&unreached);
        return Err(if unreached.iter().all(|one| one.for_good) {
            Refusal::Refused(told)
        } else {
            Refusal::Busy(told)
        });
    }
    line.command(Data).await.map_err(refusal)?;
    line.message(&message.formatted()).await.map_err(refusal)?;
    Ok(unreached)
}

fn refusal(error: Error) -> Refusal {
    let told = cut(&error.to_string());
    if error.is_permanent() {
        Refusal::Refused(told)
    } else if error.is_transient() {
        Refusal::Busy(told)
    } else {
        Refusal::Unreachable(told)
    }
}

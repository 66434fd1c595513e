//! E-mail by SMTP (RFC 5321), to exactly the checked address; certificates are held against the server's name.

use crate::{Courier, Letter, Refusal, Security, Target, post::cut};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use std::time::Duration;

pub(crate) async fn send(courier: &Courier, target: &Target, letter: &Letter) -> Result<(), Refusal> {
    let Target::Email { host, port, security, user, password, from, to } = target else {
        return Err(Refusal::Settings("no mail server is given"));
    };
    let address = courier.locate(host, *port).await?;
    let mailbox = |text: &str| {
        let address = text.parse().map_err(|_| Refusal::Settings("a mail address cannot be used"))?;
        Ok::<_, Refusal>(Mailbox::new(None, address))
    };
    let domain = from.rsplit('@').next().unwrap_or("localhost");
    let mut message = Message::builder()
        .from(mailbox(from)?)
        .subject(letter.title())
        // The same at each try, so that a mail that came twice shows as one.
        .message_id(Some(format!("<{}@{domain}>", letter.key)))
        .header(ContentType::TEXT_PLAIN);
    for reader in to {
        message = message.to(mailbox(reader)?);
    }
    let message =
        message.body(letter.lines().join("\r\n")).map_err(|_| Refusal::Settings("the mail cannot be written"))?;
    let tls = || {
        TlsParameters::new(host.clone()).map_err(|_| Refusal::Settings("this machine's certificates cannot be read"))
    };
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(address.ip().to_string())
        .port(*port)
        .timeout(Some(Duration::from_secs(12)))
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
        Err(error) if error.is_permanent() || error.is_transient() => Err(Refusal::Refused(cut(&error.to_string()))),
        Err(error) => Err(Refusal::Unreachable(cut(&error.to_string()))),
    }
}

//! Why a camera does not deliver: a closed list, each with its layer, its words and the next step.

use crate::Status;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A rung of the ladder, from the address up to the camera's clock. A check stops at the first that fails.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// 地址: The address is well-formed, permitted and resolves.
    Address,
    /// 网络: Something answers there (ping, or a TCP answer of any kind).
    Network,
    /// 端口: The TCP port accepts.
    Port,
    /// RTSP: The peer speaks RTSP and knows the stream.
    Rtsp,
    /// 认证: The account is accepted.
    Auth,
    /// 媒体: SDP names video we can read; SETUP and PLAY succeed.
    Media,
    /// 数据流: RTP packets with video arrive steadily, with keyframes.
    Flow,
    /// 解码: A keyframe decodes.
    Decode,
    /// 画面: The picture shows a scene.
    Picture,
    /// 时钟: The camera's clock agrees with ours.
    Clock,
}

impl Layer {
    /// Every rung, lowest first.
    pub const ALL: [Layer; 10] = [
        Layer::Address,
        Layer::Network,
        Layer::Port,
        Layer::Rtsp,
        Layer::Auth,
        Layer::Media,
        Layer::Flow,
        Layer::Decode,
        Layer::Picture,
        Layer::Clock,
    ];

    /// The word used in the API, the database and metrics.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Layer::Address => "address",
            Layer::Network => "network",
            Layer::Port => "port",
            Layer::Rtsp => "rtsp",
            Layer::Auth => "auth",
            Layer::Media => "media",
            Layer::Flow => "flow",
            Layer::Decode => "decode",
            Layer::Picture => "picture",
            Layer::Clock => "clock",
        }
    }

    /// The layer with this [`code`](Self::code).
    #[must_use]
    pub fn from_code(code: &str) -> Option<Layer> {
        Layer::ALL.into_iter().find(|l| l.code() == code)
    }

    /// The word on screen: Simplified Chinese, English.
    #[must_use]
    pub fn text(self) -> (&'static str, &'static str) {
        match self {
            Layer::Address => ("地址", "address"),
            Layer::Network => ("网络", "network"),
            Layer::Port => ("端口", "port"),
            Layer::Rtsp => ("RTSP", "RTSP"),
            Layer::Auth => ("认证", "auth"),
            Layer::Media => ("媒体", "media"),
            Layer::Flow => ("数据流", "flow"),
            Layer::Decode => ("解码", "decode"),
            Layer::Picture => ("画面", "picture"),
            Layer::Clock => ("时钟", "clock"),
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// What one cause means.
struct Meaning {
    code: &'static str,
    layer: Layer,
    status: Status,
    text: (&'static str, &'static str),
    next_step: (&'static str, &'static str),
}

macro_rules! causes {
    ($($name:ident, $code:literal, $layer:ident, $status:ident, $zh:literal, $en:literal, $step_zh:literal, $step_en:literal;)*) => {
        /// The closed list of causes. Names of codes are stable: they are stored and sent.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Cause {
            $(#[doc = concat!($zh, ": ", $en, ".")] $name,)*
        }

        impl Cause {
            /// Every cause.
            pub const ALL: &'static [Cause] = &[$(Cause::$name,)*];

            fn meaning(self) -> Meaning {
                match self {
                    $(Cause::$name => Meaning {
                        code: $code,
                        layer: Layer::$layer,
                        status: Status::$status,
                        text: ($zh, $en),
                        next_step: ($step_zh, $step_en),
                    },)*
                }
            }
        }
    };
}

// name, code, layer, the status it leads to once confirmed, zh, en, next step zh, next step en
causes! {
    AddressInvalid, "address_invalid", Address, Offline, "地址无效", "address cannot be used",
        "核对接入表中的取流地址",
        "Correct the stream address in the register";
    AddressForbidden, "address_forbidden", Address, Offline, "地址不在允许的网段", "address outside the permitted networks",
        "核对地址；确需接入时在配置 ingest.allow_networks 中加入该网段",
        "Check the address; if it is right, add its network to ingest.allow_networks";
    NameUnresolved, "name_unresolved", Address, Offline, "域名无法解析", "host name does not resolve",
        "改用 IP 地址，或检查本机 DNS",
        "Use an IP address, or check this machine's DNS";
    HostUnreachable, "host_unreachable", Network, Offline, "网络不可达", "network unreachable",
        "检查路由与专网配置，再查该村链路",
        "Check routing and the private network, then the site's uplink";
    NoAnswer, "no_answer", Network, Offline, "设备无应答", "nothing answers at the address",
        "查看杆上供电与光猫指示灯；同村全部离线时先查停电或断纤",
        "Check power and the ONU lights at the pole; if the whole village is down, look for a power cut or a cut fibre first";
    PortClosed, "port_closed", Port, Offline, "端口关闭", "port closed",
        "设备有应答但取流服务未开：核对端口，重启摄像机",
        "The device answers but serves no stream there: check the port, restart the camera";
    RtspNoAnswer, "rtsp_no_answer", Rtsp, Offline, "RTSP 无应答", "RTSP does not answer",
        "端口已连通但无 RTSP 应答：重启摄像机，检查固件",
        "The port opens but RTSP stays silent: restart the camera, check its firmware";
    NotRtsp, "not_rtsp", Rtsp, Offline, "应答不是 RTSP", "answer is not RTSP",
        "该端口上不是摄像机的取流服务：核对地址与端口，排查 IP 冲突",
        "Something else listens there: check address and port, look for an IP conflict";
    RtspError, "rtsp_error", Rtsp, Offline, "RTSP 返回错误", "RTSP error answer",
        "查看应答状态行；重启摄像机后复测",
        "Read the status line; restart the camera and check again";
    ConnectionLost, "connection_lost", Rtsp, Offline, "连接被中断", "connection broken off",
        "设备或中间网络主动断开：查重启、供电与交换机",
        "The device or the path closed the connection: look for restarts, power and the switch";
    TlsFailed, "tls_failed", Rtsp, Offline, "TLS 握手失败", "TLS handshake failed",
        "核对证书与时间，或改用 rtsp://",
        "Check certificate and clock, or use rtsp://";
    RedirectRefused, "redirect_refused", Rtsp, Offline, "拒绝重定向", "redirect refused",
        "摄像机把取流转到不允许的地址：核对设备配置",
        "The camera redirects to an address that is not permitted: check its settings";
    StreamNotFound, "stream_not_found", Rtsp, Offline, "取流路径不存在", "no such stream",
        "核对取流路径（主/子码流、通道号）",
        "Check the path (main or sub stream, channel number)";
    SessionLimit, "session_limit", Rtsp, Offline, "取流会话已满", "session limit reached",
        "摄像机会话数已用完：查明还有谁在取流，减少并发",
        "The camera serves no more sessions: find out who else pulls it";
    PasswordRefused, "password_refused", Auth, Offline, "账号或密码被拒绝", "password refused",
        "已停止尝试以免锁定账号；更正账号密码后再检测",
        "No further try is made, so the account is not locked; correct the account, then check again";
    AccessForbidden, "access_forbidden", Auth, Offline, "账号无权取流", "account may not view",
        "在摄像机上给该账号授予预览权限",
        "Give this account the live view right on the camera";
    AccountLocked, "account_locked", Auth, Offline, "账号被锁定", "account locked",
        "等待解锁（多为 30 分钟）或在设备上解锁；查是谁在用错误密码",
        "Wait for the lock to end (often 30 minutes) or unlock it on the device; find who uses a wrong password";
    AuthUnsupported, "auth_unsupported", Auth, Offline, "认证方式不支持", "authentication method not supported",
        "在摄像机上启用 Digest 认证",
        "Enable Digest authentication on the camera";
    NoVideo, "no_video", Media, Offline, "码流中没有视频", "stream offers no video",
        "检查摄像机编码设置，视频通道可能被关闭",
        "Check the camera's encoding settings: the video channel may be off";
    SdpMalformed, "sdp_malformed", Media, Offline, "媒体描述有误", "stream description malformed",
        "升级或重启摄像机；保留 SDP 证据反馈厂家",
        "Restart or update the camera; send the recorded SDP to the maker";
    UnsupportedCodec, "unsupported_codec", Media, Offline, "编码格式不支持", "codec not supported",
        "将摄像机编码改为 H.264 或 H.265",
        "Set the camera to H.264 or H.265";
    SetupRefused, "setup_refused", Media, Offline, "取流建立被拒绝", "stream set-up refused",
        "查看应答状态行；核对传输方式（TCP/UDP）",
        "Read the status line; check the transport (TCP/UDP)";
    PlayRefused, "play_refused", Media, Offline, "播放被拒绝", "play refused",
        "查看应答状态行；重启摄像机后复测",
        "Read the status line; restart the camera and check again";
    NoRtp, "no_rtp", Flow, Offline, "无视频数据", "no video data arrives",
        "会话已建立但无数据：UDP 改 TCP，重启摄像机",
        "The session opens but no data flows: use TCP instead of UDP, restart the camera";
    Stalled, "stalled", Flow, Offline, "码流中断", "video stopped arriving",
        "查链路质量与摄像机是否死机",
        "Check the uplink's quality and whether the camera hangs";
    StreamEnded, "stream_ended", Flow, Offline, "摄像机结束了码流", "camera ended the stream",
        "摄像机主动关闭：查重启、会话上限与固件",
        "The camera closed the stream: look for restarts, session limit and firmware";
    PacketLoss, "packet_loss", Flow, Impaired, "丢包", "packets lost",
        "查链路拥塞与光衰；UDP 可改 TCP",
        "Check congestion and optical loss; use TCP instead of UDP";
    LowFrameRate, "low_frame_rate", Flow, Impaired, "帧率过低", "frame rate too low",
        "查摄像机负载、码率设置与链路带宽",
        "Check the camera's load, its bit rate and the uplink's bandwidth";
    NoKeyframe, "no_keyframe", Flow, Offline, "没有关键帧", "no keyframe arrives",
        "将 I 帧间隔设为 2–4 秒，关闭智能编码后复测",
        "Set the I-frame interval to 2–4 s, switch smart coding off, check again";
    BadRtp, "bad_rtp", Flow, Offline, "媒体数据错误", "media data malformed",
        "重启或升级摄像机；排查链路误码",
        "Restart or update the camera; look for errors on the uplink";
    DecodeFailed, "decode_failed", Decode, Impaired, "画面无法解码", "picture does not decode",
        "码流损坏：查链路误码，重启摄像机",
        "The bitstream is damaged: look for errors on the uplink, restart the camera";
    DecoderCrashed, "decoder_crashed", Decode, Impaired, "解码进程异常退出", "decoder process died on this stream",
        "该码流已隔离；保留样本反馈",
        "This stream is isolated; keep the sample and report it";
    PictureBlack, "picture_black", Picture, Impaired, "黑屏", "black picture",
        "查镜头遮盖、补光与传感器",
        "Check lens cover, lamp and sensor";
    PictureFrozen, "picture_frozen", Picture, Impaired, "画面冻结", "frozen picture",
        "重启摄像机；编码器可能死机",
        "Restart the camera: its encoder may hang";
    PictureTooDark, "picture_too_dark", Picture, Impaired, "画面过暗", "picture too dark",
        "查补光灯、光圈与曝光设置",
        "Check lamp, iris and exposure";
    PictureTooBright, "picture_too_bright", Picture, Impaired, "画面过亮", "picture too bright",
        "查逆光、光圈与曝光设置",
        "Check backlight, iris and exposure";
    PictureBlurred, "picture_blurred", Picture, Impaired, "画面模糊", "picture blurred",
        "清洁镜头，重新聚焦",
        "Clean the lens, focus again";
    PictureCovered, "picture_covered", Picture, Impaired, "画面遮挡", "picture covered",
        "清除遮挡物；疑似人为遮挡时上报",
        "Remove what covers it; report it if somebody did it on purpose";
    PictureColourCast, "picture_colour_cast", Picture, Impaired, "画面偏色", "colour cast",
        "查红外滤光片切换与白平衡",
        "Check the infrared filter and white balance";
    PictureNoise, "picture_noise", Picture, Impaired, "雪花噪声", "noise or snow",
        "查传感器、供电与增益",
        "Check sensor, power supply and gain";
    PictureStripes, "picture_stripes", Picture, Impaired, "条纹干扰", "stripes",
        "查供电干扰、排线与码流损坏",
        "Check for interference, the cable and bitstream damage";
    SceneMoved, "scene_moved", Picture, Impaired, "场景变换", "scene moved",
        "摄像机可能被移动：核对朝向，确认后更新基准",
        "The camera may have been moved: check its direction, then accept the new baseline";
    SamePicture, "same_picture", Picture, Impaired, "与另一摄像机画面相同", "same picture as another camera",
        "核对两台的地址与通道，可能接错",
        "Compare address and channel of both: one is probably wired or entered wrongly";
    ClockWrong, "clock_wrong", Clock, Impaired, "摄像机时钟不准", "camera clock is wrong",
        "设置校时服务器后复测",
        "Set the camera's time server, then check again";
    OwnNetwork, "own_network", Network, Unknown, "本机网络故障", "our own network is at fault",
        "检查本机网卡与上联交换机",
        "Check this machine's network card and switch";
    OwnDisk, "own_disk", Picture, Unknown, "本机磁盘故障", "our own disk is at fault",
        "检查磁盘空间与状态",
        "Check this machine's disk space and state";
    ArchiveDamaged, "archive_damaged", Picture, Unknown, "存档有损坏", "the archive is damaged",
        "查看证据中指明的文件；用 sharpeyes archive check 列出全部，从备份或对象存储恢复这些文件，并检查磁盘（SMART）",
        "See the file that the evidence names; list all with `sharpeyes archive check`, restore those files from the backup or the object store, and look at the disk (SMART)";
    OwnDatabase, "own_database", Picture, Unknown, "本机数据库故障", "our own database is at fault",
        "查看自身健康页与日志",
        "See the self-health page and the log";
    OwnDecoder, "own_decoder", Decode, Unknown, "本机解码故障", "our own decoder is at fault",
        "查看自身健康页与日志",
        "See the self-health page and the log";
    OwnClock, "own_clock", Clock, Unknown, "本机时钟异常", "our own clock is at fault",
        "检查本机校时",
        "Check this machine's time source";
    OwnMachine, "own_machine", Flow, Unknown, "本机过载或停顿", "our own machine is overloaded, or stood still",
        "减少本机其他负载，或换用更快的机器；不要让本机休眠",
        "Take other load off this machine, or use a faster one; never let it sleep";
    ImplausibleChange, "implausible_change", Network, Unknown, "大面积同时变化，待核实", "implausible change of many cameras at once",
        "先查本机与核心交换机，再逐条处理",
        "Look at this machine and the core switch first";
    NotYetChecked, "not_yet_checked", Address, Unknown, "尚未检测", "not checked yet",
        "等待首次检测，或点击立即检测",
        "Wait for the first check, or press check now";
    NotRunning, "not_running", Flow, Unknown, "本服务未运行", "our service was not running",
        "查明本服务或本机为何停止（断电、重启、升级、休眠）",
        "Find out why the service or its machine stood still (power, restart, upgrade, suspension)";
    Maintenance, "maintenance", Address, Paused, "计划检修", "planned maintenance",
        "检修结束后自动恢复检测",
        "Checks resume when the maintenance ends";
    OutOfUse, "out_of_use", Address, Paused, "停用或拆除", "out of use or dismantled",
        "恢复在用后重新检测",
        "Set it back in use to check it again";
}

impl Cause {
    /// The word used in the API, the database and metrics.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.meaning().code
    }

    /// The cause with this [`code`](Self::code).
    #[must_use]
    pub fn from_code(code: &str) -> Option<Cause> {
        Cause::ALL.iter().copied().find(|c| c.code() == code)
    }

    /// The rung that fails.
    #[must_use]
    pub fn layer(self) -> Layer {
        self.meaning().layer
    }

    /// The status a camera has while this cause is confirmed.
    #[must_use]
    pub fn status(self) -> Status {
        self.meaning().status
    }

    /// What is wrong: Simplified Chinese, English.
    #[must_use]
    pub fn text(self) -> (&'static str, &'static str) {
        self.meaning().text
    }

    /// What the technician should do next: Simplified Chinese, English.
    #[must_use]
    pub fn next_step(self) -> (&'static str, &'static str) {
        self.meaning().next_step
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_match_their_serialized_form() {
        let mut seen = std::collections::HashSet::new();
        for &cause in Cause::ALL {
            assert!(seen.insert(cause.code()), "{cause:?} shares its code");
            assert_eq!(Cause::from_code(cause.code()), Some(cause));
            assert!(!matches!(cause.status(), Status::Online), "{cause:?} cannot lead to online");
        }
    }
}

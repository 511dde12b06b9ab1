/** The words of the forms for accounts. They are loaded with these forms, in all languages together. */
import { sentenceOf } from './failures';
import type { Failure } from 'hubbub-client';
import type { Tag } from './language.svelte';

const en = {
  logIn: 'Log in',
  logInWith: (provider: string) => `Log in with ${provider}`,
  forgotten: 'Forgotten your password?',
  usernameOrEmail: 'Username or e-mail address',
  sendLink: 'Send a link',
  linkSent: 'If everything is right, a mail with a link is on its way.',
  confirm: 'Confirm your e-mail address',
  confirmHint: 'A link for a new password is sent only to an address that you have confirmed.',
  confirmed: 'Your e-mail address is confirmed.',
  toChat: 'To the chat',
  signUp: 'Sign up',
  logOut: 'Log out',
  cancel: 'Cancel',
  asGuest: 'Come in as a guest',
  account: 'Your account',
  settings: 'Settings',
  invite: 'Invite people',
  administration: 'Administration',
  keepsMessages: 'Your messages stay yours.',
  setup: 'Set up this server',
  setupHint: 'You become its administrator.',
  invited: 'You are invited',
  invitedHint: 'Choose a username and a password.',
  reset: 'Choose a new password',
  resetDone: 'Your new password is set. Log in with it.',
  ended: 'You have been logged out. Log in again: what you wrote is still here.',
  changePassword: 'Change password',
  changed: 'Your new password is set. You are logged out everywhere else.',
  username: 'Username',
  name: 'Name that others see (optional)',
  password: 'Password',
  oldPassword: 'Old password',
  newPassword: 'New password',
  passwordRule: 'At least 8 characters, and not the username.',
  askAdministrator: 'Forgotten your password? An administrator of this server can make a link for a new one.',
  show: 'Show password',
  wait: 'One moment…',
  /** What became of a log-in at a provider, by the word in the address. */
  outcomes: {
    expired: 'This log-in took too long, or began in another window. Try again.',
    cancelled: 'The log-in was cancelled.',
    failed: 'The log-in did not work. Try again.',
    uninvited: 'You have no account here yet. Open the link of an invitation, and log in there.',
    deactivated: 'Your account here is deactivated.',
    banned: 'You are banned from this server.',
    rate_limited: 'Too many attempts. Try again later.',
    unavailable: 'The log-in provider does not answer. Try again later.',
  } as Record<string, string>,
  failures: {
    taken: 'This username is taken. Choose another one.',
    username:
      'Use letters, digits and _ . @ | - only, at most 64, and begin with a letter or digit. Some names are reserved.',
    name: 'This name is not possible.',
    password: 'Choose a longer or less common password: at least 8 characters, and not the username.',
    wrong: 'The username or the password is wrong.',
    oldPassword: 'The old password is wrong.',
    link: 'This link is not valid any more. Ask for a new one.',
    closed: 'You cannot sign up here without an invitation.',
    tooMany: 'Too many attempts. Try again later.',
    unreachable: 'The server does not answer. Try again.',
  },
};

export type AccountWords = typeof en;

const de: AccountWords = {
  logIn: 'Anmelden',
  logInWith: (provider) => `Mit ${provider} anmelden`,
  forgotten: 'Passwort vergessen?',
  usernameOrEmail: 'Benutzername oder E-Mail-Adresse',
  sendLink: 'Link schicken',
  linkSent: 'Wenn alles stimmt, ist eine Mail mit einem Link unterwegs.',
  confirm: 'E-Mail-Adresse bestätigen',
  confirmHint: 'Ein Link für ein neues Passwort geht nur an eine Adresse, die du bestätigt hast.',
  confirmed: 'Deine E-Mail-Adresse ist bestätigt.',
  toChat: 'Zum Chat',
  signUp: 'Konto anlegen',
  logOut: 'Abmelden',
  cancel: 'Abbrechen',
  asGuest: 'Als Gast eintreten',
  account: 'Dein Konto',
  settings: 'Einstellungen',
  invite: 'Leute einladen',
  administration: 'Verwaltung',
  keepsMessages: 'Deine Nachrichten bleiben deine.',
  setup: 'Diesen Server einrichten',
  setupHint: 'Du wirst sein Administrator.',
  invited: 'Du bist eingeladen',
  invitedHint: 'Wähle einen Benutzernamen und ein Passwort.',
  reset: 'Neues Passwort wählen',
  resetDone: 'Das neue Passwort gilt. Melde dich damit an.',
  ended: 'Du wurdest abgemeldet. Melde dich wieder an: was du geschrieben hast, ist noch da.',
  changePassword: 'Passwort ändern',
  changed: 'Das neue Passwort gilt. Überall sonst bist du abgemeldet.',
  username: 'Benutzername',
  name: 'Name, den andere sehen (freiwillig)',
  password: 'Passwort',
  oldPassword: 'Altes Passwort',
  newPassword: 'Neues Passwort',
  passwordRule: 'Mindestens 8 Zeichen und nicht der Benutzername.',
  askAdministrator:
    'Passwort vergessen? Jemand aus der Administration dieses Servers kann einen Link für ein neues erzeugen.',
  show: 'Passwort zeigen',
  wait: 'Einen Moment…',
  outcomes: {
    expired: 'Diese Anmeldung hat zu lange gedauert oder in einem anderen Fenster begonnen. Versuch es noch einmal.',
    cancelled: 'Die Anmeldung wurde abgebrochen.',
    failed: 'Die Anmeldung hat nicht geklappt. Versuch es noch einmal.',
    uninvited: 'Du hast hier noch kein Konto. Öffne den Link einer Einladung und melde dich dort an.',
    deactivated: 'Dein Konto hier ist deaktiviert.',
    banned: 'Du bist von diesem Server verbannt.',
    rate_limited: 'Zu viele Versuche. Versuch es später noch einmal.',
    unavailable: 'Der Anbieter der Anmeldung antwortet nicht. Versuch es später noch einmal.',
  },
  failures: {
    taken: 'Dieser Benutzername ist vergeben. Wähle einen anderen.',
    username:
      'Nur Buchstaben ohne Umlaute, Ziffern und _ . @ | -, höchstens 64, mit einem Buchstaben oder einer Ziffer am Anfang. Manche Namen sind reserviert.',
    name: 'Dieser Name ist nicht möglich.',
    password: 'Wähle ein längeres oder weniger übliches Passwort: mindestens 8 Zeichen, und nicht der Benutzername.',
    wrong: 'Der Benutzername oder das Passwort ist falsch.',
    oldPassword: 'Das alte Passwort ist falsch.',
    link: 'Dieser Link gilt nicht mehr. Bitte um einen neuen.',
    closed: 'Ohne Einladung kannst du hier kein Konto anlegen.',
    tooMany: 'Zu viele Versuche. Versuch es später noch einmal.',
    unreachable: 'Der Server antwortet nicht. Versuch es noch einmal.',
  },
};

const es: AccountWords = {
  logIn: 'Iniciar sesión',
  logInWith: (provider) => `Iniciar sesión con ${provider}`,
  forgotten: '¿Has olvidado la contraseña?',
  usernameOrEmail: 'Nombre de usuario o correo',
  sendLink: 'Enviar un enlace',
  linkSent: 'Si todo es correcto, un correo con un enlace está en camino.',
  confirm: 'Confirma tu correo',
  confirmHint: 'Un enlace para una contraseña nueva solo se envía a una dirección que has confirmado.',
  confirmed: 'Tu correo está confirmado.',
  toChat: 'Al chat',
  signUp: 'Crear una cuenta',
  logOut: 'Cerrar sesión',
  cancel: 'Cancelar',
  asGuest: 'Entrar como invitado',
  account: 'Tu cuenta',
  settings: 'Ajustes',
  invite: 'Invitar a gente',
  administration: 'Administración',
  keepsMessages: 'Tus mensajes siguen siendo tuyos.',
  setup: 'Configurar este servidor',
  setupHint: 'Serás su administrador.',
  invited: 'Tienes una invitación',
  invitedHint: 'Elige un nombre de usuario y una contraseña.',
  reset: 'Elige una contraseña nueva',
  resetDone: 'La contraseña nueva ya vale. Inicia sesión con ella.',
  ended: 'Se ha cerrado tu sesión. Vuelve a iniciarla: lo que has escrito sigue aquí.',
  changePassword: 'Cambiar la contraseña',
  changed: 'La contraseña nueva ya vale. En los demás lugares se ha cerrado la sesión.',
  username: 'Nombre de usuario',
  name: 'Nombre que ven los demás (opcional)',
  password: 'Contraseña',
  oldPassword: 'Contraseña anterior',
  newPassword: 'Contraseña nueva',
  passwordRule: 'Al menos 8 caracteres, y no el nombre de usuario.',
  askAdministrator:
    '¿Has olvidado la contraseña? Un administrador de este servidor puede crear un enlace para una nueva.',
  show: 'Mostrar la contraseña',
  wait: 'Un momento…',
  outcomes: {
    expired: 'Este inicio de sesión ha tardado demasiado o empezó en otra ventana. Inténtalo otra vez.',
    cancelled: 'El inicio de sesión se ha cancelado.',
    failed: 'El inicio de sesión no ha funcionado. Inténtalo otra vez.',
    uninvited: 'Todavía no tienes cuenta aquí. Abre el enlace de una invitación e inicia sesión allí.',
    deactivated: 'Tu cuenta aquí está desactivada.',
    banned: 'Se te ha expulsado de este servidor.',
    rate_limited: 'Demasiados intentos. Prueba más tarde.',
    unavailable: 'El proveedor de inicio de sesión no responde. Prueba más tarde.',
  },
  failures: {
    taken: 'Este nombre de usuario ya existe. Elige otro.',
    username:
      'Usa solo letras sin acentos, cifras y _ . @ | -, 64 como máximo, y empieza por una letra o una cifra. Algunos nombres están reservados.',
    name: 'Este nombre no es posible.',
    password: 'Elige una contraseña más larga o menos común: al menos 8 caracteres, y distinta del nombre de usuario.',
    wrong: 'El nombre de usuario o la contraseña no son correctos.',
    oldPassword: 'La contraseña anterior no es correcta.',
    link: 'Este enlace ya no vale. Pide otro.',
    closed: 'Aquí no puedes crear una cuenta sin invitación.',
    tooMany: 'Demasiados intentos. Prueba más tarde.',
    unreachable: 'El servidor no responde. Inténtalo otra vez.',
  },
};

const zh: AccountWords = {
  logIn: '登录',
  logInWith: (provider) => `使用 ${provider} 登录`,
  forgotten: '忘记密码？',
  usernameOrEmail: '用户名或邮箱地址',
  sendLink: '发送链接',
  linkSent: '如果信息无误，带有链接的邮件正在路上。',
  confirm: '确认你的邮箱地址',
  confirmHint: '设置新密码的链接只会发送到你已确认的地址。',
  confirmed: '你的邮箱地址已确认。',
  toChat: '前往聊天',
  signUp: '注册',
  logOut: '退出登录',
  cancel: '取消',
  asGuest: '以访客身份进入',
  account: '你的账号',
  settings: '设置',
  invite: '邀请他人',
  administration: '管理',
  keepsMessages: '你的消息仍然归你所有。',
  setup: '设置此服务器',
  setupHint: '你将成为它的管理员。',
  invited: '你收到了邀请',
  invitedHint: '请选择用户名和密码。',
  reset: '设置新密码',
  resetDone: '新密码已生效。请用它登录。',
  ended: '你已被退出登录。请重新登录：你写的内容还在。',
  changePassword: '修改密码',
  changed: '新密码已生效。其他地方的登录已全部退出。',
  username: '用户名',
  name: '别人看到的名字（可不填）',
  password: '密码',
  oldPassword: '旧密码',
  newPassword: '新密码',
  passwordRule: '至少 8 个字符，且不能与用户名相同。',
  askAdministrator: '忘记密码？请让此服务器的管理员生成一个设置新密码的链接。',
  show: '显示密码',
  wait: '请稍候…',
  outcomes: {
    expired: '这次登录用时太久，或是在另一个窗口开始的。请再试一次。',
    cancelled: '登录已取消。',
    failed: '登录没有成功。请再试一次。',
    uninvited: '你在这里还没有账号。请打开邀请链接，并在那里登录。',
    deactivated: '你在这里的账号已停用。',
    banned: '你已被此服务器封禁。',
    rate_limited: '尝试次数太多。请稍后再试。',
    unavailable: '登录服务没有响应。请稍后再试。',
  },
  failures: {
    taken: '这个用户名已被使用。请换一个。',
    username: '只能使用字母、数字和 _ . @ | -，最多 64 个，以字母或数字开头。有些名字是保留的。',
    name: '不能使用这个名字。',
    password: '请选择更长或更少见的密码：至少 8 个字符，且不能与用户名相同。',
    wrong: '用户名或密码错误。',
    oldPassword: '旧密码错误。',
    link: '此链接已失效。请索取新的链接。',
    closed: '没有邀请不能在此注册。',
    tooMany: '尝试次数太多。请稍后再试。',
    unreachable: '服务器没有响应。请再试一次。',
  },
};

export const ACCOUNT_WORDS: Record<Tag, AccountWords> = { en, de, es, 'zh-Hans': zh };

/** A sentence about a log-in at a provider that did not work. */
export function outcomeOf(word: string, { outcomes }: AccountWords): string {
  return (Object.hasOwn(outcomes, word) ? outcomes[word] : outcomes['failed']) ?? '';
}

/** What a form is for. */
export type Purpose = 'logIn' | 'signUp' | 'setup' | 'invite' | 'reset' | 'change';

/** The field that is wrong, and a sentence about it. */
export interface Fault {
  field: 'username' | 'name' | 'password' | 'old';
  sentence: string;
}

export function faultOf({ code, message, field }: Failure, purpose: Purpose, { failures }: AccountWords): Fault {
  if (code === 'conflict') return { field: 'username', sentence: failures.taken };
  if (code === 'invalid' && (field === 'username' || field === 'name')) return { field, sentence: failures[field] };
  if (code === 'invalid' && (field === 'password' || field === 'new')) {
    return { field: 'password', sentence: failures.password };
  }
  if (code === 'unauthenticated' && purpose === 'logIn') return { field: 'password', sentence: failures.wrong };
  if (code === 'unauthenticated' && purpose === 'change') return { field: 'old', sentence: failures.oldPassword };
  const sentence =
    code === 'rate_limited'
      ? failures.tooMany
      : code === 'closed'
        ? failures.unreachable
        : code === 'forbidden'
          ? purpose === 'signUp'
            ? failures.closed
            : failures.link
          : sentenceOf({ code, message });
  return { field: 'password', sentence };
}

/** The words of one's own settings, and those that the administrator's page shares. Loaded with them, in all languages. */
import type { Failure } from 'hubbub-client';
import { agentIn } from '../models/agents';
import { formats, words, type Tag } from './language.svelte';

const en = {
  title: 'Settings',
  tabs: {
    profile: 'Profile',
    password: 'Password',
    devices: 'Devices',
    invitations: 'Invitations',
    blocked: 'Blocked',
  },
  save: 'Save',
  saved: 'Saved.',
  cancel: 'Cancel',
  wait: 'One moment…',
  again: 'Try again',
  onlyAccounts: 'Only people with an account have settings.',
  profile: {
    name: 'Name',
    nameHint: 'The others see it.',
    timeZone: 'Time zone',
    deviceZone: 'That of the device',
    email: 'E-mail address',
    emailHint: 'Only you and the server know it. It helps if you forget your password.',
    names: 'This name is not possible.',
    emails: 'This is no e-mail address.',
  },
  devices: {
    title: 'Where you are logged in',
    hint: 'Log out a device that you do not know, and change your password.',
    here: 'this device',
    unknown: 'Unknown device',
    on: (program: string, system: string) => `${program} on ${system}`,
    seen: (when: string) => `Last used: ${when}`,
    now: 'In use now',
    logOut: 'Log out',
    logOutOf: (device: string) => `Log out: ${device}`,
    others: 'Log out all other devices',
    none: 'You are logged in nowhere else.',
  },
  invitations: {
    make: 'Invite people',
    hint: 'Whoever has the link can make an account here.',
    uses: 'For how many people',
    any: 'Any number',
    valid: 'How long it works',
    role: 'They become',
    roles: { member: 'Members', admin: 'Administrators' },
    button: 'Make a link',
    link: 'Copy the link now: it is not shown again.',
    open: 'Open invitations',
    none: 'There is none.',
    left: (uses: number) => `For ${formats().number(uses)} more ${uses === 1 ? 'person' : 'people'}`,
    until: (when: string) => `until ${when}`,
    by: (who: string) => `by ${who}`,
    revoke: 'Revoke',
    asAdmin: 'administrator',
  },
  failures: {
    forbidden: 'You may not do that.',
    unauthenticated: 'You are not logged in any more. Reload the page.',
    conflict: 'That is not possible: it exists already, or somebody has changed it.',
    invalid: 'The server does not accept that.',
    too_large: 'That is too long.',
    closed: 'The server does not answer. Try again.',
  },
};

export type SettingsWords = typeof en;

const de: SettingsWords = {
  title: 'Einstellungen',
  tabs: {
    profile: 'Profil',
    password: 'Passwort',
    devices: 'Geräte',
    invitations: 'Einladungen',
    blocked: 'Blockiert',
  },
  save: 'Speichern',
  saved: 'Gespeichert.',
  cancel: 'Abbrechen',
  wait: 'Einen Moment…',
  again: 'Noch einmal versuchen',
  onlyAccounts: 'Nur wer ein Konto hat, hat Einstellungen.',
  profile: {
    name: 'Name',
    nameHint: 'Die anderen sehen ihn.',
    timeZone: 'Zeitzone',
    deviceZone: 'Die des Geräts',
    email: 'E-Mail-Adresse',
    emailHint: 'Nur du und der Server kennen sie. Sie hilft, wenn du dein Passwort vergisst.',
    names: 'Dieser Name ist nicht möglich.',
    emails: 'Das ist keine E-Mail-Adresse.',
  },
  devices: {
    title: 'Wo du angemeldet bist',
    hint: 'Melde ein Gerät ab, das du nicht kennst, und ändere dein Passwort.',
    here: 'dieses Gerät',
    unknown: 'Unbekanntes Gerät',
    on: (program, system) => `${program} auf ${system}`,
    seen: (when) => `Zuletzt benutzt: ${when}`,
    now: 'Wird gerade benutzt',
    logOut: 'Abmelden',
    logOutOf: (device) => `Abmelden: ${device}`,
    others: 'Alle anderen Geräte abmelden',
    none: 'Du bist sonst nirgends angemeldet.',
  },
  invitations: {
    make: 'Leute einladen',
    hint: 'Wer den Link hat, kann hier ein Konto anlegen.',
    uses: 'Für wie viele Personen',
    any: 'Beliebig viele',
    valid: 'Wie lange er gilt',
    role: 'Sie werden',
    roles: { member: 'Mitglieder', admin: 'Administratoren' },
    button: 'Link erzeugen',
    link: 'Kopiere den Link jetzt: er wird nicht noch einmal gezeigt.',
    open: 'Offene Einladungen',
    none: 'Es gibt keine.',
    left: (uses) => `Noch für ${formats().number(uses)} ${uses === 1 ? 'Person' : 'Personen'}`,
    until: (when) => `bis ${when}`,
    by: (who) => `von ${who}`,
    revoke: 'Widerrufen',
    asAdmin: 'Administrator',
  },
  failures: {
    forbidden: 'Das darfst du nicht.',
    unauthenticated: 'Du bist nicht mehr angemeldet. Lade die Seite neu.',
    conflict: 'Das geht nicht: es gibt das schon, oder jemand hat es geändert.',
    invalid: 'Der Server nimmt das nicht an.',
    too_large: 'Das ist zu lang.',
    closed: 'Der Server antwortet nicht. Versuch es noch einmal.',
  },
};

const es: SettingsWords = {
  title: 'Ajustes',
  tabs: {
    profile: 'Perfil',
    password: 'Contraseña',
    devices: 'Dispositivos',
    invitations: 'Invitaciones',
    blocked: 'Bloqueados',
  },
  save: 'Guardar',
  saved: 'Guardado.',
  cancel: 'Cancelar',
  wait: 'Un momento…',
  again: 'Intentar de nuevo',
  onlyAccounts: 'Solo quien tiene una cuenta tiene ajustes.',
  profile: {
    name: 'Nombre',
    nameHint: 'Lo ven los demás.',
    timeZone: 'Zona horaria',
    deviceZone: 'La del dispositivo',
    email: 'Correo electrónico',
    emailHint: 'Solo lo conocéis tú y el servidor. Sirve si olvidas la contraseña.',
    names: 'Este nombre no es posible.',
    emails: 'Esto no es una dirección de correo.',
  },
  devices: {
    title: 'Dónde has iniciado sesión',
    hint: 'Cierra la sesión de un dispositivo que no conozcas y cambia la contraseña.',
    here: 'este dispositivo',
    unknown: 'Dispositivo desconocido',
    on: (program, system) => `${program} en ${system}`,
    seen: (when) => `Último uso: ${when}`,
    now: 'En uso ahora',
    logOut: 'Cerrar sesión',
    logOutOf: (device) => `Cerrar sesión: ${device}`,
    others: 'Cerrar sesión en los demás dispositivos',
    none: 'No hay sesión iniciada en ningún otro lugar.',
  },
  invitations: {
    make: 'Invitar a gente',
    hint: 'Quien tenga el enlace puede crear una cuenta aquí.',
    uses: 'Para cuántas personas',
    any: 'Las que sean',
    valid: 'Cuánto tiempo vale',
    role: 'Serán',
    roles: { member: 'Miembros', admin: 'Administradores' },
    button: 'Crear enlace',
    link: 'Copia el enlace ahora: no se vuelve a mostrar.',
    open: 'Invitaciones abiertas',
    none: 'No hay ninguna.',
    left: (uses) => `Para ${formats().number(uses)} ${uses === 1 ? 'persona' : 'personas'} más`,
    until: (when) => `hasta ${when}`,
    by: (who) => `de ${who}`,
    revoke: 'Revocar',
    asAdmin: 'administrador',
  },
  failures: {
    forbidden: 'No puedes hacer eso.',
    unauthenticated: 'Tu sesión se ha cerrado. Recarga la página.',
    conflict: 'No es posible: ya existe, o alguien lo ha cambiado.',
    invalid: 'El servidor no lo acepta.',
    too_large: 'Es demasiado largo.',
    closed: 'El servidor no responde. Inténtalo otra vez.',
  },
};

const zh: SettingsWords = {
  title: '设置',
  tabs: { profile: '个人资料', password: '密码', devices: '设备', invitations: '邀请', blocked: '已屏蔽' },
  save: '保存',
  saved: '已保存。',
  cancel: '取消',
  wait: '请稍候…',
  again: '重试',
  onlyAccounts: '只有拥有账号的人才有设置。',
  profile: {
    name: '名字',
    nameHint: '其他人会看到它。',
    timeZone: '时区',
    deviceZone: '使用设备的时区',
    email: '电子邮箱',
    emailHint: '只有你和服务器知道。忘记密码时会用到它。',
    names: '不能使用这个名字。',
    emails: '这不是有效的邮箱地址。',
  },
  devices: {
    title: '你登录的地方',
    hint: '如果有不认识的设备，请将其退出，并修改密码。',
    here: '本设备',
    unknown: '未知设备',
    on: (program, system) => `${system} 上的 ${program}`,
    seen: (when) => `上次使用：${when}`,
    now: '正在使用',
    logOut: '退出登录',
    logOutOf: (device) => `退出登录：${device}`,
    others: '退出所有其他设备',
    none: '你没有在其他地方登录。',
  },
  invitations: {
    make: '邀请他人',
    hint: '拿到链接的人可以在这里注册账号。',
    uses: '可供多少人使用',
    any: '不限人数',
    valid: '有效期',
    role: '他们将成为',
    roles: { member: '成员', admin: '管理员' },
    button: '生成链接',
    link: '请立即复制链接：之后不再显示。',
    open: '有效的邀请',
    none: '没有邀请。',
    left: (uses) => `还可供 ${formats().number(uses)} 人使用`,
    until: (when) => `有效至${when}`,
    by: (who) => `邀请人：${who}`,
    revoke: '撤销',
    asAdmin: '管理员',
  },
  failures: {
    forbidden: '你不能这样做。',
    unauthenticated: '你已退出登录。请重新加载页面。',
    conflict: '无法完成：它已存在，或已被他人修改。',
    invalid: '服务器不接受此内容。',
    too_large: '内容太长。',
    closed: '服务器没有响应。请再试一次。',
  },
};

export const SETTINGS_WORDS: Record<Tag, SettingsWords> = { en, de, es, 'zh-Hans': zh };

/** What a refusal means, by its code alone: the server's own words are in English. */
export function meaningOf({ code }: Failure, { failures }: SettingsWords): string {
  const known: Record<string, string> = { ...words().failures.codes, ...failures };
  return known[code] ?? failures.invalid;
}

/** "Today, 11:20" */
export function momentOf(time: string): string {
  const at = Date.parse(time);
  return `${formats().dayOf(at, Date.now())}, ${formats().timeOf(at)}`;
}

export function deviceOf(said: string, { devices }: SettingsWords): string {
  const { program, system } = agentIn(said);
  if (program !== null && system !== null) return devices.on(program, system);
  return program ?? system ?? devices.unknown;
}
